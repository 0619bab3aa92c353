"""What has lain in the trash can long enough goes, and nothing else."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from twisted.internet.defer import Deferred

from regproxy.index.sqlite import SqliteIndex
from regproxy.index.sqlite_holdings import SqliteHoldings
from regproxy.model.trash import TRASH, place
from regproxy.repo.trash import Trash
from regproxy.upkeep import trash
from tests.conformance.holdings import deposit_of
from tests.fakes.remote import InlinePool
from tests.index.threads import ThreadedClock


def test_days_go_by(tmp_path: Path, monkeypatch: Any) -> None:
    """Page by page, with the folders that are empty then."""
    monkeypatch.setattr(trash, "PAGE", 2)
    clock = ThreadedClock()
    index = SqliteIndex(tmp_path / "index.sqlite", clock)
    index.start()
    holdings = SqliteHoldings(index)
    parts = cast(Any, SimpleNamespace(index=index, readers=InlinePool(), clock=clock))
    can, retention = Trash(parts, holdings), trash.Retention(parts, holdings, 100.0)
    for number, path in enumerate(("a/1", "a/2", "b/3", "c/4")):
        clock.wait(holdings.deposit(deposit_of(path, number + 1, 5.0)))
    for path in ("a/1", "a/2", "b/3"):
        node = index.node("r", path)
        assert node is not None
        clock.wait(Deferred.fromCoroutine(can.keep(node, "ann")))
        clock.advance(60)
    assert trash.BUSY_SECONDS == clock.wait(Deferred.fromCoroutine(retention.step()))
    assert trash.IDLE_SECONDS == clock.wait(Deferred.fromCoroutine(retention.step()))
    assert ["r/b/3"] == [node.path for node in index.nodes(TRASH)]
    assert ["r/", "r/b/"] == [folder.path for folder in holdings.folders(TRASH, "")]
    assert ["c/4"] == [node.path for node in index.nodes("r")]
    clock.wait(index.close())


def test_what_is_put_there_meanwhile_stays(tmp_path: Path) -> None:
    """A file that is deleted once more while an old one of its name is about to go."""
    clock = ThreadedClock()
    index = SqliteIndex(tmp_path / "index.sqlite", clock)
    index.start()
    holdings = SqliteHoldings(index)
    parts = cast(Any, SimpleNamespace(index=index, readers=InlinePool(), clock=clock))
    can = Trash(parts, holdings)

    def throw_away(path: str, size: int) -> None:
        clock.wait(holdings.deposit(deposit_of(path, size, clock.seconds())))
        node = index.node("r", path)
        assert node is not None
        clock.wait(Deferred.fromCoroutine(can.keep(node, "ann")))

    for path in ("a", "b"):
        throw_away(path, 1)
    clock.advance(101)

    class Busy(SqliteHoldings):
        def delete(self, repository: str, path: str, before: float = math.inf) -> "Deferred[bool]":
            if path == place("r", "a"):
                throw_away("b", 2)
            return super().delete(repository, path, before)

    clock.wait(Deferred.fromCoroutine(trash.Retention(parts, Busy(index), 100.0).step()))
    assert [(node.path, node.size) for node in index.nodes(TRASH)] == [(place("r", "b"), 20)]
    clock.wait(index.close())


def test_a_file_that_changes_meanwhile(tmp_path: Path) -> None:
    """Is kept as it is now; one that has gone is nobody's trouble."""
    clock = ThreadedClock()
    index = SqliteIndex(tmp_path / "index.sqlite", clock)
    index.start()
    holdings = SqliteHoldings(index)
    can = Trash(cast(Any, SimpleNamespace(index=index, readers=InlinePool(), clock=clock)), holdings)
    clock.wait(holdings.deposit(deposit_of("a", 1, 5.0)))
    seen = index.node("r", "a")
    assert seen is not None
    clock.wait(holdings.deposit(deposit_of("a", 2, 6.0)))
    clock.wait(Deferred.fromCoroutine(can.keep(seen, "ann")))
    assert (None, 20) == (index.node("r", "a"), (index.node(TRASH, place("r", "a")) or seen).size)
    clock.wait(Deferred.fromCoroutine(can.keep(seen, "ann")))
    clock.wait(index.close())
