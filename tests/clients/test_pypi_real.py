"""Real packages through the ``pypi`` remote of the shipped configuration, and again when the index cannot be reached."""

import re
from collections.abc import Callable
from pathlib import Path

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


@pytest.mark.parametrize("installer", [pytest.param(pip, id="pip"), pytest.param(uv, id="uv", marks=pytest.mark.client("uv"))])
def test_real_packages_twice(tmp_path: Path, twist_regproxy: Start, installer: Callable[[], Installer]) -> None:
    """The second time upstream is behind a proxy that is not there, and whatever is asked is stale."""
    proxy = twist_regproxy(shipped())
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
