"""Every index keeps the contract."""

import pytest

from regproxy.index.memory import MemoryIndex
from tests.conformance.index import IndexContract
from tests.index.conftest import Begin
from tests.index.threads import Subject, ThreadedClock


@pytest.fixture(params=["sqlite", "memory"])
def subject(request: pytest.FixtureRequest, begin: Begin) -> Subject:
    """An empty index that was started."""
    if request.param == "sqlite":
        return Subject(*begin())
    index = MemoryIndex()
    index.start()
    return Subject(index, ThreadedClock())


class TestIndex(IndexContract):
    """SQLite and memory."""


def test_memory_knows_a_clean_stop() -> None:
    """Started again without a close in between, the previous run counts as a crash."""
    index = MemoryIndex()
    index.start()
    index.start()
    assert not index.was_clean
    index.close()
    index.start()
    assert index.was_clean
