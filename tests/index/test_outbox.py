"""The outbox of the index keeps its contract, and so does its twin; it outlives the process."""

import pytest

from regproxy.index.memory_outbox import MemoryOutbox
from regproxy.index.sqlite_outbox import SqliteOutbox
from tests.conformance.outbox import Mail, OutboxContract
from tests.index.conftest import Begin


@pytest.fixture(params=["sqlite", "memory"])
def mail(request: pytest.FixtureRequest, begin: Begin) -> Mail:
    """An empty one."""
    index, clock = begin()
    return Mail(SqliteOutbox(index) if request.param == "sqlite" else MemoryOutbox(), clock.wait)


class TestOutbox(OutboxContract):
    """In SQLite, and in memory."""


def test_it_outlives_a_run(begin: Begin) -> None:
    """What was queued is there at the next start."""
    index, clock = begin()
    Mail(SqliteOutbox(index), clock.wait).put("a", "1")
    clock.wait(index.close())
    again, clock = begin()
    assert ["1"] == Mail(SqliteOutbox(again), clock.wait).names("a")
