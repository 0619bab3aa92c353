"""Work that nobody waits for."""

import pytest
from twisted.internet.defer import Deferred

from regproxy.stream import spawn
from tests.fakes.logged import Log


async def waiting(what: "Deferred[str]") -> str:
    """Wait for it."""
    return await what


def test_a_failure_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it was; whoever waits all the same sees an end."""
    monkeypatch.setattr(spawn, "log", log := Log())
    what, ended = Deferred[str](), list[object]()
    spawn.spawn(waiting(what), "trying").addBoth(ended.append)
    assert (log.said, ended) == ([], [])
    what.errback(ValueError("down"))
    assert (log.said, ended) == ([("trying", "down")], [None])


def test_a_result() -> None:
    """Is there for whoever waits."""
    what, ended = Deferred[str](), list[object]()
    spawn.spawn(waiting(what), "trying").addBoth(ended.append)
    what.callback("done")
    assert ended == ["done"]
