"""The fourth view of the index keeps its contract, and so does its twin."""

from pathlib import Path

import pytest

from regproxy.index.memory import MemoryIndex
from regproxy.index.memory_declarations import MemoryDeclarations
from regproxy.index.sqlite_declarations import SqliteDeclarations
from tests.conformance.declarations import FILES, DeclarationsContract, Told
from tests.index.conftest import Begin
from tests.index.threads import ThreadedClock
from tests.index.writing import shared_index


@pytest.fixture(params=["sqlite", "memory"])
def told(request: pytest.FixtureRequest, begin: Begin) -> Told:
    """None yet."""
    index, clock = begin()
    if request.param == "sqlite":
        return Told(SqliteDeclarations(index), index, clock.wait)
    memory = MemoryIndex()
    return Told(MemoryDeclarations(memory), memory, clock.wait)


class TestDeclarations(DeclarationsContract):
    """In SQLite, and in memory."""


def test_other_processes_see_changes(tmp_path: Path) -> None:
    """Of two that share a file, one changes and the other one has another stamp."""
    clock = ThreadedClock()
    indexes = [shared_index(tmp_path / "index.sqlite", slot, clock, is_owner=slot == 0) for slot in (0, 1)]
    for index in indexes:
        index.start()
    here, there = map(SqliteDeclarations, indexes)
    before = there.stamp()
    clock.wait(here.put("files", FILES, replace=False))
    assert {"files": FILES} == there.every()
    assert before != there.stamp()
    for index in reversed(indexes):
        clock.wait(index.close())
