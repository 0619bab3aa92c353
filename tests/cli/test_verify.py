"""``regproxy verify`` as operators run it: a program of its own, beside a server and without one."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from tests.fakes.files import remote, serving
from tests.fakes.process import CHECKOUT, Regproxy
from tests.wire.test_life import get

BODY = b"0123456789" * 20_000


def verify(data_dir: Path, *options: str) -> tuple[int, dict[str, object]]:
    """Exit status and report."""
    done = subprocess.run(
        [sys.executable, "-m", "regproxy", "verify", "--json", "--data-dir", str(data_dir), *options],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout) if done.stdout else {"error": done.stderr}


def blob_files(data_dir: Path) -> list[Path]:
    """The stored blobs."""
    return [path for path in (data_dir / "store" / "blobs").rglob("*") if path.is_file()]


@pytest.mark.parametrize("running", [True, False])
def test_damage_is_found_repaired_and_fetched_anew(twist_regproxy: Callable[..., Regproxy], *, running: bool) -> None:
    """Statuses 0, 1, 4, 0; then the next client gets the right bytes by one more fetch."""
    with serving({"/a": BODY, "/b": b"small"}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        assert (get(regproxy, "/files/a"), get(regproxy, "/files/b")) == ((200, BODY), (200, b"small"))
        if not running:
            regproxy.terminate()
        data_dir = regproxy.data_dir
        assert verify(data_dir, "--strict")[0] == 0
        (big,) = [path for path in blob_files(data_dir) if path.stat().st_size == len(BODY)]
        big.write_bytes(BODY[:-1] + b"x")
        code, report = verify(data_dir)
        assert (1, ["damaged"]) == (code, [finding["trouble"] for finding in report["findings"]])  # type: ignore[attr-defined] # JSON
        assert verify(data_dir, "--repair")[0] == 4
        assert verify(data_dir, "--strict")[0] == 0
        if not running:
            regproxy.start()
        assert get(regproxy, "/files/a") == (200, BODY)
        assert upstream.asked["GET", "/a"] == 2
        assert get(regproxy, "/files/b") == (200, b"small")
        assert upstream.asked["GET", "/b"] == 1


def test_one_of_several_workers_does_it(twist_regproxy: Callable[..., Regproxy]) -> None:
    """The command is the same whether a server is one process or several."""
    with serving({"/a": BODY}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url), server="workers = 2")
        get(regproxy, "/files/a")
        code, report = verify(regproxy.data_dir)
        assert (0, 1) == (code, report["blobs"])


def test_an_unclean_stop_stays_unclean(twist_regproxy: Callable[..., Regproxy]) -> None:
    """Who verifies a store after a crash does not hide the crash from the next server."""
    with serving({"/a": BODY}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        get(regproxy, "/files/a")
        regproxy.kill9()
        assert verify(regproxy.data_dir)[0] == 0
        connection = apsw.Connection(str(regproxy.data_dir / "index.sqlite"))
        assert connection.execute("SELECT clean FROM run").fetchall() == [(0,)]
        connection.close()


def test_it_cannot_be_done(tmp_path: Path) -> None:
    """Status 5 where there is nothing to verify, and nothing is made there."""
    code, report = verify(tmp_path / "none")
    assert (5, True) == (code, "expected a data directory" in str(report["error"]))
    code, report = verify(tmp_path)
    assert (5, True) == (code, "no regproxy data here" in str(report["error"]))
    assert list(tmp_path.iterdir()) == []
