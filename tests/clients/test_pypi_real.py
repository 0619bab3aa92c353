"""Real packages through the ``pypi`` remote of the shipped configuration, and again when the index cannot be reached."""

import json
import re
import socket
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.fakes.index_clients import Installer, index_of, pip, uv
from tests.fakes.process import CHECKOUT, Regproxy, free_port

Start = Callable[..., Regproxy]
PACKAGES = ("six", "attrs", "requests")
LARGE = "numpy"

pytestmark = pytest.mark.network


def shipped() -> str:
    """The table of the remote, as the reference has it."""
    text = (CHECKOUT / "etc" / "regproxy.toml").read_text()
    tables = re.split(r"(?m)^(?=\[\[repository\]\])", text)
    table = next(each for each in tables if re.search(r'(?m)^key = "pypi"$', each))
    return "\n".join(line for line in table.splitlines() if line and not line.startswith("#")) + "\n"


def behind_gateway(proxy: Regproxy) -> str:
    """``allowedHosts`` for networks in which public names lead to a gateway's address: that of the index itself."""
    request = urllib.request.Request(f"{proxy.base_url}/api/repositories")
    with urllib.request.urlopen(request, timeout=10) as answer:
        url = next(each["url"] for each in json.load(answer) if each["key"] == "pypi")
    return f'allowedHosts = ["{socket.gethostbyname(urlsplit(url).hostname or "")}"]\n'


@pytest.mark.parametrize("installer", [pytest.param(pip, id="pip"), pytest.param(uv, id="uv", marks=pytest.mark.client("uv"))])
def test_real_packages_twice(tmp_path: Path, twist_regproxy: Start, installer: Callable[[], Installer]) -> None:
    """The second time upstream is behind a proxy that is not there, and whatever is asked is stale."""
    proxy = twist_regproxy(shipped())
    proxy.write_config(shipped() + behind_gateway(proxy))
    proxy.restart()
    for attempt in ("online", "offline"):
        target = tmp_path / attempt
        ran = installer().install(index_of(proxy), target, *PACKAGES, LARGE)
        assert ran.code == 0, ran.output
        assert {f"{name}.py" for name in ("six",)} <= {each.name for each in target.iterdir()}
        assert {"attrs", "requests", LARGE} <= {each.name for each in target.iterdir()}
        proxy.env = {"HTTPS_PROXY": f"http://127.0.0.1:{free_port()}", "HTTP_PROXY": f"http://127.0.0.1:{free_port()}"}
        proxy.repositories += "retrievalCachePeriodSecs = 0\n"
        if attempt == "online":
            proxy.restart()
    assert "could not be reached" in proxy.log
