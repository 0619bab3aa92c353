"""Real packages of the real index, through the ``pypi`` remote that is shipped, and again when nothing can be reached."""

import json
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from attrs import frozen

from regproxy.auto import run_program
from regproxy.formats.pypi import FORMAT
from regproxy.formats.pypi.plan import JSON_TYPE, index_url
from regproxy.model.settings import RepositorySettings
from regproxy.upstream.targets import Targets
from tests.fakes.index_clients import PIP, UV, downloaded, installed
from tests.fakes.process import CHECKOUT, Regproxy, free_port

pytestmark = [pytest.mark.network, pytest.mark.client("pip", "uv")]

QUICK = 30.0


@frozen
class Shipped:
    """The repository of the shipped configuration, and where it leads on this machine."""

    table: str
    url: str


@pytest.fixture(scope="module")
def shipped() -> Shipped:
    """Read the shipped file, and ask this machine's clients as it says."""
    tables = (CHECKOUT / "etc" / "regproxy.toml").read_text().split("[[repository]]")
    table = next(each for each in tables if re.search(r'(?m)^key = "pypi"$', each))
    assert 'url = "auto"' in table
    assert FORMAT.auto is not None
    printed = (run_program(command) for command in FORMAT.auto.commands)
    url = next(found for each in printed if each is not None and (found := FORMAT.auto.read(each)))
    settings = RepositorySettings(key="pypi", rclass="remote", package_type="pypi", url=url)
    return Shipped(f"[[repository]]\n{table.strip()}\n", index_url(settings))


def behind_a_gateway(index: str) -> str:
    """What an operator has to say on a machine where every name leads to a gateway with a private address; else nothing."""
    request = urllib.request.Request(urljoin(index, "six/"), headers={"Accept": JSON_TYPE})
    with urllib.request.urlopen(request, timeout=60) as answer:
        page = json.load(answer)
        links = [urljoin(answer.url, file["url"]) for file in page["files"]]
    hosts = sorted({host for link in links if (host := urlsplit(link).hostname)})
    anywhere = Targets("")
    named = [host for host in hosts if not all(anywhere.allows(address) for address in addresses(host))]
    return f"allowedHosts = {json.dumps(named)}\n" if named else ""


def addresses(host: str) -> set[str]:
    """What its name resolves to."""
    return {str(found[4][0]) for found in socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)}


def status_of(url: str) -> int:
    """Of a GET."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def unplug(proxy: Regproxy, table: str) -> None:
    """Restart it behind an outgoing proxy that is not there; nothing that it holds is fresh."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    proxy.env = {"HTTPS_PROXY": nowhere, "https_proxy": nowhere, "NO_PROXY": "", "no_proxy": ""}
    proxy.repositories = f"{table}retrievalCachePeriodSecs = 0\n"
    proxy.restart()


def test_real_packages_online_and_offline(tmp_path: Path, shipped: Shipped, twist_regproxy: Callable[..., Regproxy]) -> None:
    """Small and large, by both clients; then all of it again from the cache; what is not there is an outage, not a 404."""
    table = shipped.table + behind_a_gateway(shipped.url)
    proxy = twist_regproxy(table)
    index = f"{proxy.base_url}/api/pypi/pypi/simple/"

    def everything(folder: Path) -> None:
        installed(PIP, index, folder / "pip", "six", "attrs", "requests")
        installed(UV, index, folder / "uv", "six", "attrs", "requests")
        downloaded(index, folder / "large", "--only-binary=:all:", "numpy")

    everything(tmp_path / "online")
    unplug(proxy, table)
    begun = time.monotonic()
    everything(tmp_path / "offline")
    took = time.monotonic() - begun
    for name in ("pip/six.py", "pip/attrs", "pip/requests", "uv/six.py", "uv/attrs", "uv/requests"):
        assert (tmp_path / "online" / name).exists()
        assert (tmp_path / "offline" / name).exists()
    (online,), (offline,) = ([*(tmp_path / each / "large").iterdir()] for each in ("online", "offline"))
    assert online.read_bytes() == offline.read_bytes()
    assert status_of(f"{index}never-asked-for-before/") == 503
    assert took < QUICK
