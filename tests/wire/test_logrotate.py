"""The access log under a real logrotate with the file that is shipped: no line is lost, none goes to what was moved."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.clients import find_program
from tests.fakes.files import remote, serving
from tests.fakes.process import CHECKOUT, Regproxy
from tests.wire.test_life import get, wait_until


@pytest.mark.client("logrotate")
def test_rotation(twist_regproxy: Callable[..., Regproxy], tmp_path: Path) -> None:
    """Paths, owner and the signal's addressee are this test's; everything else is as shipped."""
    program = find_program("logrotate")
    assert program is not None
    logs = tmp_path / "logs"
    logs.mkdir(mode=0o755)
    access = logs / "access.log"
    with serving({"/a": b"x"}) as upstream:
        others = f'requestOutFile = "{logs}/out.log"\nauditFile = "{logs}/audit.log"'
        regproxy = twist_regproxy(f'[log]\naccessFile = "{access}"\n{others}\n{remote(upstream.url)}')
        assert regproxy.process is not None
        shipped = (CHECKOUT / "etc" / "regproxy.logrotate").read_text()
        ours = shipped.replace("/var/log/regproxy", str(logs)).replace("    su regproxy regproxy\n", "")
        lines = [line if "systemctl" not in line else f"        kill -HUP {regproxy.process.pid}" for line in ours.splitlines()]
        (tmp_path / "rotate.conf").write_text("\n".join(lines) + "\n")
        (tmp_path / "rotate.conf").chmod(0o644)
        assert get(regproxy, "/files/a")[0] == 200
        wait_until(lambda: access.exists() and "/files/a" in access.read_text())
        inode = access.stat().st_ino
        done = subprocess.run(
            [program, "--force", "--state", tmp_path / "state", tmp_path / "rotate.conf"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
        assert (done.returncode, done.stderr) == (0, "")
        wait_until(lambda: access.exists() and access.stat().st_ino != inode)
        for _ in range(3):
            assert get(regproxy, "/files/a")[0] == 200

        def paths(file: Path) -> list[str]:
            return [json.loads(line)["path"] for line in file.read_text().splitlines()]

        assert paths(logs / "access.log.1").count("/files/a") == 1
        wait_until(lambda: paths(access).count("/files/a") == 3)
