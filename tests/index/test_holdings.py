"""The second view of the index keeps its contract."""

import pytest

from regproxy.index.sqlite_holdings import SqliteHoldings
from tests.conformance.holdings import HoldingsContract, Kept, deposit_of
from tests.index.conftest import Begin
from tests.index.threads import Subject


@pytest.fixture
def kept(begin: Begin) -> Kept:
    """An empty one."""
    index, clock = begin()
    return Kept(Subject(index, clock), SqliteHoldings(index))


class TestSqliteHoldings(HoldingsContract):
    """In SQLite."""


def test_a_durable_change_is_synced(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction of a deposit runs with ``synchronous = FULL``, and the one behind it as usual."""
    index, clock = begin()
    seen: list[int] = []
    look = lambda connection: seen.append(connection.execute("PRAGMA synchronous").fetchall()[0][0])  # noqa: E731 - a probe
    clock.wait(index.change(look))
    clock.wait(index.remember("a", "b"))
    assert index._writer is not None
    clock.wait(index._writer.write(look))
    assert [2, 1] == seen


def test_downloads_are_counted(begin: Begin) -> None:
    """With the time of the last one."""
    index, clock = begin()
    kept = Kept(Subject(index, clock), SqliteHoldings(index))
    clock.wait(kept.holdings.deposit(deposit_of("a", 1, 5.0)))
    index.downloaded("r", "a", 60.0, "ann")
    index.downloaded("r", "a", 50.0, "bob")
    clock.advance(2.0)
    clock.wait(index.remember("x", "y"))
    found = kept.holdings.downloads("r", "a")
    assert (2, 60.0, "ann") == (found.count, found.last, found.by)
