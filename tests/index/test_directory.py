"""The third view of the index keeps its contract, and so does its twin."""

from pathlib import Path

import pytest

from regproxy.index.memory_directory import MemoryDirectory
from regproxy.index.sqlite_directory import SqliteDirectory
from regproxy.model.principals import User
from tests.conformance.directory import DirectoryContract, Known
from tests.fakes.directory import put
from tests.index.conftest import Begin
from tests.index.threads import ThreadedClock
from tests.index.writing import shared_index


@pytest.fixture(params=["sqlite", "memory"])
def known(request: pytest.FixtureRequest, begin: Begin) -> Known:
    """An empty one."""
    index, clock = begin()
    return Known(SqliteDirectory(index) if request.param == "sqlite" else MemoryDirectory(), clock.wait)


class TestDirectory(DirectoryContract):
    """In SQLite, and in memory."""


def test_other_processes_see_changes(tmp_path: Path) -> None:
    """Of two that share a file, one changes and the other one has another stamp, and the same key."""
    clock = ThreadedClock()
    indexes = [shared_index(tmp_path / "index.sqlite", slot, clock, is_owner=slot == 0) for slot in (0, 1)]
    for index in indexes:
        index.start()
    here, there = map(SqliteDirectory, indexes)
    before = there.stamp()
    clock.wait(put(here, User(name="ann")))
    assert (User(name="ann"), here.key()) == (there.get(User, "ann"), there.key())
    assert before != there.stamp()
    for index in reversed(indexes):
        clock.wait(index.close())
