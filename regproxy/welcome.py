"""What ``twist regproxy`` prints when it serves: where, what, and two lines to copy."""

import re
from collections.abc import Sequence
from pathlib import Path

from regproxy.access.first import ADMIN
from regproxy.access.first import FILE as PASSWORD_FILE
from regproxy.config_checks import AUTO
from regproxy.config_warnings import warnings
from regproxy.model.settings import Configuration

ADDRESS = "http://127.0.0.1:8081"
_FIRST_PULL = {
    "huggingfaceml": "HF_ENDPOINT={address}/api/huggingfaceml/{key} hf download hf-internal-testing/tiny-random-gpt2",
    "docker": "podman pull --tls-verify=false {host}/{key}/library/alpine",
    "oci": "podman pull --tls-verify=false {host}/{key}/library/alpine",
    "pypi": "pip download --no-deps --index-url {address}/api/pypi/{key}/simple/ attrs",
    "generic": "curl -LO {address}/{key}/PATH",
}
_ORDER = ("docker", "oci", "pypi", "huggingfaceml", "generic")
LINES = 2


def address_of(configuration: Configuration) -> str:
    """The base URL that is most likely to work on this machine."""
    server = configuration.server
    if server.base_url:
        return server.base_url.rstrip("/")
    for text in server.listen:
        match = re.match(r"(tcp|ssl):(?:port=)?(\d+)", text)
        if match:
            interface = re.search(r"interface=((?:[^:\\]|\\.)+)", text)
            host = interface[1].replace("\\:", ":") if interface else "127.0.0.1"
            shown = f"[{host}]" if ":" in host else host.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - replaced, not bound
            return f"{'https' if match[1] == 'ssl' else 'http'}://{shown}:{match[2]}"
    for listener in server.listener:
        return f"https://{listener.address}"
    return ADDRESS


def welcome(configuration: Configuration, needs_url: Sequence[str] = ()) -> str:
    """A few lines of text, without a line end at the end."""
    address = address_of(configuration)
    keys = [item.key for item in configuration.repository]
    lines = [f"regproxy serves {address}", f"repositories: {', '.join(keys) or 'none'}"]
    if needs_url:
        lines.append(f"needs url: {', '.join(needs_url)} (no client on this machine knows one; write it into the configuration)")
    password = Path(configuration.server.data_dir) / PASSWORD_FILE
    if password.exists():
        lines.append(f"the password of the administrator {ADMIN}: {password}")
    lines += [f"warning: {each.subject}: {each.text}; {each.advice}" for each in warnings(configuration)]
    usable = [
        item for item in configuration.repository if item.rclass == "remote" and item.url != AUTO and item.key not in needs_url
    ]
    usable.sort(key=lambda item: _ORDER.index(item.package_type) if item.package_type in _ORDER else len(_ORDER))
    seen: dict[str, str] = {}
    for item in usable:
        template = _FIRST_PULL.get(item.package_type)
        if template:
            seen.setdefault(item.package_type, template.format(address=address, host=address.partition("://")[2], key=item.key))
    lines += ["try:", *(f"  {line}" for line in list(seen.values())[:LINES])] if seen else []
    return "\n".join(lines)
