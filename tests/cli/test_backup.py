"""``regproxy backup`` and ``restore`` as operators run them: beside a server, without one, and what is there afterwards."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.test_verify import blob_files, verify
from tests.fakes.files import remote, serving
from tests.fakes.process import CHECKOUT, Regproxy
from tests.wire.test_life import get

BODY = os.urandom(300_000)
MINE = os.urandom(200_000)
LOCAL = '\n[[repository]]\nkey = "mine"\nrclass = "local"\npackageType = "generic"\n'

Start = Callable[..., Regproxy]


def command(*arguments: str | Path) -> tuple[int, str]:
    """Run the program; status and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "regproxy", *map(str, arguments)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def put(regproxy: Regproxy, path: str, body: bytes) -> None:
    """Deploy a file."""
    request = urllib.request.Request(f"{regproxy.base_url}{path}", data=body, method="PUT")
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 201


def filled(start: Start, url: str) -> Regproxy:
    """A server with one cached and one local artifact."""
    regproxy = start(remote(url) + LOCAL)
    assert get(regproxy, "/files/a") == (200, BODY)
    put(regproxy, "/mine/x/y", MINE)
    return regproxy


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("everything", [True, False])
def test_there_and_back(twist_regproxy: Start, tmp_path: Path, *, running: bool, everything: bool) -> None:
    """Local artifacts always come back, cached ones with ``--all``; the restored directory is in order."""
    with serving({"/a": BODY}) as upstream:
        regproxy = filled(twist_regproxy, upstream.url)
        if not running:
            regproxy.terminate()
        saved = tmp_path / "saved"
        code, said = command("backup", saved, "--data-dir", regproxy.data_dir, *(["--all"] if everything else []))
        assert (0, True) == (code, said.startswith("2 blobs" if everything else "1 blobs")), said
        other = twist_regproxy(remote(upstream.url) + LOCAL)
        other.terminate()
        assert command("restore", saved, "--data-dir", other.data_dir)[0] == 1
        assert command("restore", saved, "--replace", "--data-dir", other.data_dir)[0] == 0
        assert verify(other.data_dir, "--strict")[0] == 0
        for path in other.data_dir.glob("index.sqlite*"):
            path.unlink()
        code, said = command("restore", saved, "--data-dir", other.data_dir)
        assert (0, True) == (code, f"those of the backup: {other.data_dir}/admin.password may be of another" in said), said
        other.start()
        assert get(other, "/mine/x/y") == (200, MINE)
        assert get(other, "/files/a") == (200, BODY)
        assert upstream.asked["GET", "/a"] == (1 if everything else 2)


def test_a_restore_into_a_running_server_is_refused(twist_regproxy: Start, tmp_path: Path) -> None:
    """It would pull the index away from under it."""
    with serving({"/a": BODY}) as upstream:
        regproxy = filled(twist_regproxy, upstream.url)
        saved = tmp_path / "saved"
        assert command("backup", saved, "--data-dir", regproxy.data_dir)[0] == 0
        code, said = command("restore", saved, "--replace", "--data-dir", regproxy.data_dir)
        assert (1, True) == (code, "another regproxy" in said)
        assert get(regproxy, "/mine/x/y") == (200, MINE)


def test_an_unfinished_backup_is_refused(twist_regproxy: Start, tmp_path: Path) -> None:
    """Nothing is made where it was to go."""
    with serving({"/a": BODY}) as upstream:
        regproxy = filled(twist_regproxy, upstream.url)
        regproxy.terminate()
        saved, target = tmp_path / "saved", tmp_path / "target"
        assert command("backup", saved, "--data-dir", regproxy.data_dir)[0] == 0
        (saved / "backup.json").unlink()
        code, said = command("restore", saved, "--data-dir", target)
        assert (1, True, False) == (code, "complete backup" in said, target.exists())


@pytest.mark.parametrize("running", [True, False])
def test_a_loss_is_told_and_stays_loud(twist_regproxy: Start, tmp_path: Path, *, running: bool) -> None:
    """By the backup and by the restore, with status 1; all else comes back, and who asks for what is lost is told so."""
    with serving({"/a": BODY}) as upstream:
        regproxy = filled(twist_regproxy, upstream.url)
        put(regproxy, "/mine/rotten", BODY[:-1])
        put(regproxy, "/mine/gone", BODY[:-2])
        if not running:
            regproxy.terminate()
        for path in blob_files(regproxy.data_dir):
            if path.stat().st_size == len(BODY) - 1:
                path.write_bytes(BODY[1:])
            elif path.stat().st_size == len(BODY) - 2:
                path.unlink()
        saved = tmp_path / "saved"
        code, said = command("backup", saved, "--data-dir", regproxy.data_dir)
        assert (1, True) == (code, said.startswith("1 blobs")), said
        assert {"LOST: mine:gone is missing", "LOST: mine:rotten is damaged"} == {line.rsplit(":", 1)[0] for line in lost(said)}
        other = twist_regproxy(remote(upstream.url) + LOCAL)
        other.terminate()
        code, said = command("restore", saved, "--replace", "--data-dir", other.data_dir)
        assert (1, True, 2) == (code, said.startswith("1 blobs"), len(lost(said))), said
        assert f"{other.data_dir}/index.sqlite.before-restore.1" in said
        assert f"those of the backup: {other.data_dir}/admin.password may be" in said
        other.start()
        assert [200, 500, 500] == [get(other, f"/mine/{path}")[0] for path in ("x/y", "rotten", "gone")]


def lost(said: str) -> list[str]:
    """The lines of losses."""
    return [line for line in said.splitlines() if line.startswith("LOST")]


def test_what_rots_in_a_backup_is_left_out(twist_regproxy: Start, tmp_path: Path) -> None:
    """Status 1 and a line for each; what remotes cached is fetched anew."""
    with serving({"/a": BODY}) as upstream:
        regproxy = filled(twist_regproxy, upstream.url)
        regproxy.terminate()
        saved, other = tmp_path / "saved", twist_regproxy(remote(upstream.url) + LOCAL)
        other.terminate()
        assert command("backup", saved, "--all", "--data-dir", regproxy.data_dir)[0] == 0
        for path in (saved / "blobs").rglob("*"):
            if path.is_file() and path.stat().st_size == len(BODY):
                path.unlink()
                path.write_bytes(BODY[1:] + b"x")
        code, said = command("restore", saved, "--replace", "--json", "--data-dir", other.data_dir)
        assert (1, True, True) == (code, '"blobs":1,' in said, "left out: files:a is damaged: hashes to" in said), said
        other.start()
        assert get(other, "/mine/x/y") == (200, MINE)
        assert get(other, "/files/a") == (200, BODY)
        assert upstream.asked["GET", "/a"] == 2


def test_a_target_that_exists_is_refused(twist_regproxy: Start, tmp_path: Path) -> None:
    """A backup never writes over anything, and takes nothing away that was there."""
    with serving({"/a": BODY}) as upstream:
        regproxy = filled(twist_regproxy, upstream.url)
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "precious").write_text("x")
        code, said = command("backup", tmp_path / "full", "--data-dir", regproxy.data_dir)
        assert (1, True) == (code, "not there yet" in said)
        assert (tmp_path / "full" / "precious").exists()
        assert len(blob_files(regproxy.data_dir)) == 2
