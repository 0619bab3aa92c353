"""The systemd units, in the eyes of systemd itself."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.fakes.process import CHECKOUT

EXPOSURE = 2.0


def analyze(*arguments: str | Path) -> str:
    """What ``systemd-analyze`` prints."""
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


@pytest.mark.client("systemd-analyze")
def test_units_are_good(tmp_path: Path) -> None:
    """Every key is known and has a value that it can have; the programs, which are not installed here, stand aside."""
    for name in ("regproxy.service", "regproxy.socket"):
        text = (CHECKOUT / "etc" / name).read_text()
        (tmp_path / name).write_text(re.sub(r"/opt/regproxy/bin/\w+", "/bin/true", text))
    found = analyze("verify", tmp_path / "regproxy.service", tmp_path / "regproxy.socket")
    assert [line for line in found.splitlines() if "regproxy" in line] == []


@pytest.mark.client("systemd-analyze")
def test_the_service_is_locked_down(tmp_path: Path) -> None:
    """By systemd's own measure, in which 10 is an open door and a service without any option has 9.6."""
    found = analyze("security", "--offline=yes", CHECKOUT / "etc" / "regproxy.service")
    exposure = re.search(r"Overall exposure level for regproxy\.service: ([0-9.]+)", found)
    assert exposure is not None, found
    assert float(exposure[1]) <= EXPOSURE
