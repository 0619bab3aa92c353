"""Asks the Python clients of this machine which index they are set to.

pip's own precedence holds: environment, then the configuration of ``install``, then ``global``, then what it has built in, which
stands in its help. Where there is no pip, uv is asked. Reading is pure.
"""

import ast
import re
import sys
from urllib.parse import urlsplit

from regproxy.formats.pypi.plan import AS_IT_IS
from regproxy.repo.interface_auto import AutoUrl

_PIPS = (["pip"], ["pip3"], ["python3", "-m", "pip"], [sys.executable, "-m", "pip"])

COMMANDS = (
    ["printenv", "PIP_INDEX_URL"],
    *([*pip, *words] for pip in _PIPS for words in (["config", "list"], ["install", "--help"])),
    ["printenv", "UV_DEFAULT_INDEX"],
    ["printenv", "UV_INDEX_URL"],
    ["uv", "help", "pip", "install"],
)

_CONFIGURED = re.compile(r"(?m)^(:env:|install|global)\.index-url=(.+)$")
_PRECEDENCE = (":env:", "install", "global")
# Help texts are wrapped to a width, in the middle of an address too.
_PIP_HELP = re.compile(r"--index-url <url>.{0,400}?\(default\s+(https?:[^)]+)\)", re.DOTALL)
_UV_HELP = re.compile(r"--default-index <.{0,400}?by\s+default:\s+<(https?:[^>]+)>", re.DOTALL)


def read_index_url(printed: str) -> str | None:
    """The address of the index in what a client printed: its configuration, its help, or a bare address."""
    configured = {key: _unquoted(value) for key, value in _CONFIGURED.findall(printed)}
    said = next((configured[key] for key in _PRECEDENCE if configured.get(key)), None)
    if said is None and re.fullmatch(r"https?://\S+", printed.strip()):
        said = printed.strip()
    if said is None:
        match = _PIP_HELP.search(printed) or _UV_HELP.search(printed)
        said = re.sub(r"\s+", "", match[1]) if match else None
    return _exactly(said) if said and said.startswith(("http://", "https://")) else None


def _unquoted(text: str) -> str:
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return ""
    return value.strip() if isinstance(value, str) else ""


def _exactly(url: str) -> str:
    """What a client has is the index itself; say so where its address does not show it."""
    path = urlsplit(url).path.rstrip("/")
    return url if path.rpartition("/")[2] in ("simple", "+simple") else f"{url.rstrip('/')}{AS_IT_IS}"


AUTO = AutoUrl(COMMANDS, read_index_url)
