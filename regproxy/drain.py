"""The orderly end of a server: what is told at once, what is waited for, and how long.

1. ``/readyz`` says "draining", and every response ends its connection. For ``drainDelay`` seconds that is all, so that load
   balancers can look elsewhere before a connection is refused.
2. The ports close, and connections on which nothing happens.
3. Responses and fills that run are waited for, ``drainSeconds`` at most.
4. What is left is cut. A fill of a repository with ``landing = "park"`` has a moment to be parked; others are dropped.

A second wish to end (``hurry``) skips what is left of the waiting. A process that others take the place of (``is_retired``) is no
reason to look elsewhere: it closes its ports at once, gives its clients a moment to hear that they should connect anew, and
waits for what runs as long as that may take.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from attrs import define, field
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime
from txaio.tx import make_logger

from regproxy.control import Draining
from regproxy.ending import in_turn
from regproxy.model.settings import Server
from regproxy.notify import Notify
from regproxy.stream.observer import OneShot

log = make_logger()

LOOK = 0.1
PARK_SECONDS = 5.0
RETIRED_GRACE = 3.0
RETIRED_SECONDS = 3600.0
SLACK = 15.0
"""Seconds for what comes after the drain: closing the index, joining the threads."""


class Serving(Protocol):
    """What is drained."""

    def announce_end(self) -> None:
        """Say it to whoever asks, and to every client with his next response."""

    def close_ports(self) -> Awaitable[None]:
        """Take nobody new."""

    def close_idle(self) -> None:
        """Let go of whoever is idle."""

    def responses(self) -> int:
        """How many requests are being answered."""

    def cut(self) -> None:
        """Abort every connection."""


class Filling(Protocol):
    """The fills, of which some may be parked once nobody reads them any more."""

    def count(self) -> int:
        """All of them."""

    def parkable(self) -> int:
        """Those."""


@define(eq=False)
class Drain:
    """One drain, for the end of one process.

    Attributes:
        began: it was asked for.
        is_retired: others go on in its place.
    """

    _clock: IReactorTime
    _serving: Serving
    _fills: Filling
    _notify: Notify
    _delay: float = field(kw_only=True)
    _seconds: float = field(kw_only=True)
    began: bool = field(default=False, init=False)
    is_retired: bool = field(default=False, init=False)
    _hurried: OneShot[None] = field(factory=OneShot, init=False)

    @classmethod
    def of(cls, clock: IReactorTime, serving: Serving, fills: Filling, notify: Notify, server: Server) -> "Drain":
        """With the patience that is configured."""
        return cls(clock, serving, fills, notify, delay=server.drain_delay, seconds=server.drain_seconds)

    @property
    def state(self) -> Draining:
        """What there is to wait for."""
        return Draining(draining=self.began, responses=self._serving.responses(), fills=self._fills.count())

    def hurry(self) -> None:
        """Wait no longer."""
        if not self._hurried.fired:
            self._hurried.fire(None)

    async def run(self) -> None:
        """Drain; nothing is being served when this returns."""
        self.began = True
        self._notify.stopping(self._delay + self._seconds + PARK_SECONDS + SLACK)
        self._serving.announce_end()
        await self._rest(0.0 if self.is_retired else self._delay)
        await in_turn(self._serving.close_ports)
        await self._rest(RETIRED_GRACE if self.is_retired else 0.0)
        self._serving.close_idle()
        seconds = RETIRED_SECONDS if self.is_retired else self._seconds
        await self._until(lambda: not (self._serving.responses() or self._fills.count()), seconds)
        left = self.state
        if left.responses or left.fills:
            log.warn("cutting {responses} responses and {fills} fills", responses=left.responses, fills=left.fills)  # noqa: G010 - txaio's name
        self._serving.cut()
        await self._until(lambda: not (self._serving.responses() or self._fills.parkable()), PARK_SECONDS)

    async def _until(self, done: Callable[[], bool], seconds: float) -> None:
        deadline = self._clock.seconds() + seconds
        while not done() and self._clock.seconds() < deadline and not self._hurried.fired:
            left = self.state
            self._notify.status(f"draining: {left.responses} responses and {left.fills} fills are left")
            await self._rest(LOOK)

    async def _rest(self, seconds: float) -> None:
        if seconds > 0:
            try:
                await self._hurried.when().addTimeout(seconds, self._clock)
            except DeferredTimeout:
                return
