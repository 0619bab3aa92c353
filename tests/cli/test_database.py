"""``regproxy db upgrade``: an index of an older program, before the newer one starts."""

import json
from pathlib import Path

import pytest

from regproxy.index import migrate
from regproxy.lock import DataDirLock
from tests.cli.test_commands import regproxy

SHIPPED = migrate.steps()


def make(folder: Path, steps: list[migrate.Step], patch: pytest.MonkeyPatch) -> Path:
    """An index as a program with these steps leaves it."""
    with patch.context() as within:
        within.setattr(migrate, "steps", lambda: steps)
        migrate.prepare(folder / "index.sqlite", 1.0)
    return folder


def test_an_older_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is copied and brought up, once; both versions are said."""
    folder = make(tmp_path, SHIPPED[:-1], monkeypatch)
    before, after = SHIPPED[-2].version, SHIPPED[-1].version
    copy = folder / f"index.sqlite.schema-{before}"
    done = regproxy("db", "upgrade", "--data-dir", folder, "--json")
    assert (0, {"before": before, "after": after, "copy": str(copy)}) == (done.exit_code, json.loads(done.output))
    assert copy.exists()
    copy.unlink()
    again = regproxy("db", "upgrade", "--data-dir", folder)
    assert (0, f"schema {after}, as it should be\n", False) == (again.exit_code, again.output, copy.exists())


def test_for_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line."""
    done = regproxy("db", "upgrade", "--data-dir", make(tmp_path, SHIPPED[:-1], monkeypatch))
    assert done.output.startswith(f"schema {SHIPPED[-2].version} became {SHIPPED[-1].version}; what it was is {tmp_path}")


def test_what_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that runs, an index of a newer program, and none: status 1, and nothing is changed."""
    folder = make(tmp_path, [*SHIPPED, migrate.Step(9001, "SELECT 1;")], monkeypatch)
    newer = regproxy("db", "upgrade", "--data-dir", folder)
    lock = DataDirLock.acquire(folder)
    running = regproxy("db", "upgrade", "--data-dir", folder)
    lock.release()
    (folder / "index.sqlite").unlink()
    none = regproxy("db", "upgrade", "--data-dir", folder)
    nowhere = regproxy("db", "upgrade", "--data-dir", folder / "none")
    assert {1} == {each.exit_code for each in (newer, running, none, nowhere)}
    for each, text in ((newer, "run a newer regproxy"), (running, "another regproxy"), (none, "expected an index")):
        assert text in each.stderr
    assert not (folder / "index.sqlite").exists()
    assert not (folder / "none").exists()
