"""Every index keeps the contract."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from regproxy.index.memory import MemoryIndex
from tests.conformance.index import IndexContract
from tests.index.conftest import Begin
from tests.index.threads import Subject, ThreadedClock
from tests.index.writing import DividedSubject, OtherProcess, shared_index


@pytest.fixture(params=["sqlite", "memory", "two processes"])
def subject(request: pytest.FixtureRequest, begin: Begin, tmp_path: Path) -> Iterator[Subject]:
    """An empty index that was started; of two processes one changes it and the other one reads."""
    clock = ThreadedClock()
    match request.param:
        case "sqlite":
            yield Subject(*begin())
        case "memory":
            index = MemoryIndex()
            index.start()
            yield Subject(index, clock)
        case _:
            here = shared_index(tmp_path / "index.sqlite", 0, clock, is_owner=True)
            here.start()
            there = OtherProcess.start(tmp_path / "index.sqlite", 1)
            yield DividedSubject.of(here, clock, there)
            ended = there.end()
            clock.wait(here.close())
            assert ended == 0


class TestIndex(IndexContract):
    """SQLite, alone and shared, and memory."""


def test_memory_knows_a_clean_stop() -> None:
    """Started again without a close in between, the previous run counts as a crash."""
    index = MemoryIndex()
    index.start()
    index.start()
    assert not index.was_clean
    index.close()
    index.start()
    assert index.was_clean
