"""Work that was begun for a client and is brought to its end, and told of, though he leaves.

A route whose client has gone is cancelled, at whatever it awaits: a change that is written by then would have no line in the
audit log, and one of two that belong together would be the only one.
"""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from twisted.python.failure import Failure

from regproxy.stream.observer import OneShot
from regproxy.stream.spawn import spawn

P = ParamSpec("P")
T = TypeVar("T")


async def apart(work: Coroutine[Any, Any, T], why: str) -> T:
    """Do something that goes on if the client for whom it is done leaves."""
    outcome: OneShot[T] = OneShot()

    async def settled() -> None:
        try:
            result = await work
        except BaseException:  # noqa: BLE001 - it belongs to whoever waits
            outcome.fail(Failure())
        else:
            outcome.fire(result)

    spawn(settled(), why)
    return await outcome.when()


def to_the_end(why: str) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], Callable[P, Coroutine[Any, Any, T]]]:
    """Make a coroutine function one whose calls are ``apart``."""

    def wrap(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        @wraps(work)
        async def detached(*args: P.args, **kwargs: P.kwargs) -> T:
            return await apart(work(*args, **kwargs), why)

        return detached

    return wrap
