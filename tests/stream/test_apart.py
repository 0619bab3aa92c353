"""What is done for a client is done though he leaves, and told of if he stays."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred

from regproxy.stream import spawn
from regproxy.stream.apart import apart, to_the_end
from tests.fakes.logged import Log


async def work(until: "Deferred[str]", done: list[str]) -> str:
    """Have two parts, with a wait between them."""
    done.append("first")
    done.append(await until)
    return done[-1]


@pytest.mark.parametrize("does", [lambda *what: apart(work(*what), "trying"), to_the_end("trying")(work)])
def test_who_waits_has_its_result(does: Callable[..., Coroutine[Any, Any, str]]) -> None:
    """When it is there, and not before."""
    until, done, got = Deferred[str](), list[str](), list[object]()
    ensureDeferred(does(until, done)).addBoth(got.append)
    assert (done, got) == (["first"], [])
    until.callback("second")
    assert (done, got) == (["first", "second"], ["second"])


def test_who_waits_has_its_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log says nothing of what somebody was told."""
    monkeypatch.setattr(spawn, "log", log := Log())
    until, got = Deferred[str](), list[Any]()
    ensureDeferred(apart(work(until, []), "trying")).addBoth(got.append)
    until.errback(ValueError("down"))
    assert ([failure.getErrorMessage() for failure in got], log.said) == (["down"], [])


def test_it_goes_on_without_its_client() -> None:
    """He hears at once; the second part comes all the same."""
    until, done, got = Deferred[str](), list[str](), list[Any]()

    @to_the_end("trying")
    async def change() -> str:
        return await work(until, done)

    client = ensureDeferred(change())
    client.addBoth(got.append)
    client.cancel()
    assert (done, [failure.type for failure in got]) == (["first"], [CancelledError])
    until.callback("second")
    assert done == ["first", "second"]
