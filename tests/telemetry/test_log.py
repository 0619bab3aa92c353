"""The access log writes one line of JSON for each request."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from regproxy.telemetry.log import AccessLog, Entry
from tests.fakes.killing import ROOT

ENTRY = Entry(1.5, "id", "127.0.0.1", "GET", "/r/a", 200, 10, 0.25)


def test_a_line_for_each(tmp_path: Path) -> None:
    """On the disk at once; what is not known is left out."""
    log = AccessLog(tmp_path / "log")
    log.write(ENTRY)
    lines = (tmp_path / "log").read_text().splitlines()
    log.close()
    assert [json.loads(line) for line in lines] == [
        {
            "ts": 1.5,
            "request_id": "id",
            "client": "127.0.0.1",
            "method": "GET",
            "path": "/r/a",
            "status": 200,
            "bytes": 10,
            "duration": 0.25,
        }
    ]


def test_reopened_after_rotation(tmp_path: Path) -> None:
    """The next line goes to a new file, the old one stays as it is."""
    path, moved = tmp_path / "log", tmp_path / "log.1"
    log = AccessLog(path)
    log.write(ENTRY)
    path.rename(moved)
    log.write(ENTRY)
    log.reopen()
    log.write(ENTRY)
    log.close()
    assert (len(moved.read_text().splitlines()), len(path.read_text().splitlines())) == (2, 1)


def test_hostile_fields_stay_in_their_line(tmp_path: Path) -> None:
    """A line end in a User-Agent forges no entry."""
    log = AccessLog(tmp_path / "log")
    log.write(Entry(0.0, "id", "c", "GET", "/", 200, 0, 0.0, user_agent='a\n{"forged": 1}'))
    log.close()
    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) == 1
    assert json.loads(lines[0])["user_agent"] == 'a\n{"forged": 1}'


def test_stdout(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a path; closing leaves it open."""
    monkeypatch.setattr("sys.__stdout__", None)
    log = AccessLog(None)
    log.write(ENTRY)
    log.close()
    log.write(ENTRY)
    assert len(capfd.readouterr().out.splitlines()) == 2


WRITER = """
import sys
from pathlib import Path
from regproxy.telemetry.log import AccessLog, Entry

log = AccessLog(Path(sys.argv[1]))
for number in range(300):
    log.write(Entry(1.5, sys.argv[2], "c", "GET", "/" + sys.argv[2] * 9000, 200, number, 0.25))
"""


def test_processes_do_not_mix_their_lines(tmp_path: Path) -> None:
    """Three processes at once, lines longer than any buffer: each line is whole."""
    path = tmp_path / "log"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], cwd=ROOT) for name in "abc"]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted((name, number) for name in "abc" for number in range(300)) == sorted(
        (entry["request_id"], entry["bytes"]) for entry in entries
    )
    assert all(entry["path"] == "/" + entry["request_id"] * 9000 for entry in entries)
