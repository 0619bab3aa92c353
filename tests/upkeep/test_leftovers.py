"""The job that lets formats tidy up."""

from typing import Any, cast

from attrs import define, field
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, globalLogPublisher

from regproxy.repo.tree import Tree
from regproxy.upkeep.leftovers import EVERY, Leftovers
from tests.upkeep.test_garbage import outcome


@define(eq=False)
class Format:
    """Notes when it was asked about what; of some it has trouble."""

    asked: list[tuple[str, float]] = field(factory=list)

    async def tidy(self, tree: Tree, now: float) -> None:
        """Note."""
        self.asked.append((tree.key, now))
        if tree.key == "bad":
            raise OSError("the index")


def test_trouble_is_one_repositorys() -> None:
    """All are tidied, those behind one with trouble too, and again after a while."""
    clock, by, events = Clock(), Format(), list[Any]()
    trees = [Tree(key, cast(Any, None), cast(Any, None), cast(Any, None)) for key in ("one", "bad", "two")]
    job = Leftovers(cast(Any, clock), lambda: [(by, tree) for tree in trees])
    clock.advance(7)
    globalLogPublisher.addObserver(cast(ILogObserver, events.append))
    try:
        assert outcome(job.step()) == EVERY
    finally:
        globalLogPublisher.removeObserver(cast(ILogObserver, events.append))
    assert by.asked == [("one", 7.0), ("bad", 7.0), ("two", 7.0)]
    assert [event["key"] for event in events if "key" in event] == ["bad"]
