"""Work of the running server that takes a while, asked for at the control socket: the answer is lines of JSON, progress while it
lasts, then the outcome. One of each kind at a time; whoever closes the connection ends it.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec
from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from regproxy.backup import Backup, BackupError, Summary
from regproxy.repo.parts import Parts
from regproxy.stream.rehash import Pace
from regproxy.stream.spawn import spawn
from regproxy.upkeep.report import Progress, Report
from regproxy.upkeep.verification import Verification

EVERY = 0.5
RATE = 100 << 20


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of an answer; the last one has the outcome."""

    progress: Progress | None = None
    report: Report | None = None
    summary: Summary | None = None
    failure: str | None = None


class Work(Protocol):
    """Something that takes a while."""

    @property
    def progress(self) -> Progress:
        """How far it is."""

    async def line(self) -> Line:
        """Do it."""


@define(eq=False)
class Verifying:
    """A verification as work."""

    _verification: Verification

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return self._verification.progress

    async def line(self) -> Line:
        """The report."""
        return Line(report=await self._verification.run())


@define(eq=False)
class BackingUp:
    """A backup as work."""

    _backup: Backup

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return self._backup.progress

    async def line(self) -> Line:
        """What was saved."""
        try:
            return Line(summary=await self._backup.run())
        except (BackupError, OSError) as error:
            return Line(failure=str(error))


@define(eq=False)
class LongWork:
    """One kind of work, and whether it is going on."""

    _clock: IReactorTime
    _begin: Callable[[dict[str, str]], Work]
    _running: bool = field(init=False, default=False)

    def resource(self) -> Resource:
        """What the control socket mounts."""
        return _Post(self)

    def answer(self, request: Request) -> int:
        """Begin to answer."""
        request.setHeader("content-type", "application/x-ndjson")
        if self._running:
            request.setResponseCode(409)
            request.finish()
            return int(NOT_DONE_YET)
        self._running = True
        work: Deferred[object] = Deferred.fromCoroutine(self._answer(request))
        request.notifyFinish().addErrback(lambda _: work.cancel())
        spawn(_quiet(work), "working for the control socket")
        return int(NOT_DONE_YET)

    async def _answer(self, request: Request) -> None:
        asked = {name.decode(): values[0].decode() for name, values in (request.args or {}).items()}
        work = self._begin(asked)
        ticks = LoopingCall(lambda: _write(request, Line(progress=work.progress)))
        ticks.clock = self._clock
        ticks.start(EVERY)
        try:
            line = await work.line()
        finally:
            self._running = False
            ticks.stop()
        _write(request, line)
        request.finish()


class _Post(Resource):
    isLeaf = True  # noqa: N815 - the name that Twisted reads

    def __init__(self, work: LongWork) -> None:
        Resource.__init__(self)
        self._work = work

    def render_POST(self, request: Request) -> int:  # noqa: N802 - the name that Twisted calls
        return self._work.answer(request)


def verifying(parts: Parts, live: Callable[[], int]) -> LongWork:
    """``POST /verify?repair=1&strict=1&rate=…``."""

    def begin(asked: dict[str, str]) -> Work:
        pace = Pace(parts.clock, float(asked.get("rate", RATE)))
        repair, strict = asked.get("repair") == "1", asked.get("strict") == "1"
        return Verifying(Verification(parts, pace, repair=repair, strict=strict, live=live, idle=False))

    return LongWork(parts.clock, begin)


def backing_up(make: Callable[[str, bool], Backup], clock: IReactorTime) -> LongWork:
    """``POST /backup?target=…&all=1``."""
    return LongWork(clock, lambda asked: BackingUp(make(asked.get("target", ""), asked.get("all") == "1")))


def _write(request: Request, line: Line) -> None:
    request.write(msgspec.json.encode(line) + b"\n")


async def _quiet(work: "Deferred[object]") -> None:
    """Wait for it; that the client has gone is no failure."""
    try:
        await work
    except CancelledError:
        return
