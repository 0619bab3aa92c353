"""``POST /verify`` of the control socket: a verification of the running server, as lines of JSON: progress, then the report.

One at a time. Whoever closes the connection ends it.
"""

from collections.abc import Callable

import msgspec
from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import LoopingCall
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from regproxy.repo.parts import Parts
from regproxy.stream.rehash import Pace
from regproxy.stream.spawn import spawn
from regproxy.upkeep.report import Progress, Report
from regproxy.upkeep.verification import Verification

EVERY = 0.5
RATE = 100 << 20


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the answer; the last one has the report."""

    progress: Progress | None = None
    report: Report | None = None


@define(eq=False)
class Verifying:
    """Runs verifications of a running server."""

    _parts: Parts
    _live: Callable[[], int]
    _running: bool = field(init=False, default=False)

    def resource(self) -> Resource:
        """What the control socket mounts."""
        return _Verify(self)

    def render(self, request: Request) -> int:
        """Begin to answer."""
        request.setHeader("content-type", "application/x-ndjson")
        if self._running:
            request.setResponseCode(409)
            request.finish()
            return int(NOT_DONE_YET)
        self._running = True
        work: Deferred[object] = Deferred.fromCoroutine(self._answer(request))
        request.notifyFinish().addErrback(lambda _: work.cancel())
        spawn(_quiet(work), "verifying")
        return int(NOT_DONE_YET)

    async def _answer(self, request: Request) -> None:
        asked = {name for name, values in (request.args or {}).items() if values != [b"0"]}
        rate = float((request.args or {}).get(b"rate", [b"%d" % RATE])[0])
        verification = Verification(
            self._parts,
            Pace(self._parts.clock, rate),
            repair=b"repair" in asked,
            strict=b"strict" in asked,
            live=self._live,
            idle=False,
        )
        ticks = LoopingCall(lambda: _write(request, Line(progress=verification.progress)))
        ticks.clock = self._parts.clock
        ticks.start(EVERY)
        try:
            report = await verification.run()
        finally:
            self._running = False
            ticks.stop()
        _write(request, Line(report=report))
        request.finish()


class _Verify(Resource):
    isLeaf = True  # noqa: N815 - the name that Twisted reads

    def __init__(self, verifying: Verifying) -> None:
        Resource.__init__(self)
        self._verifying = verifying

    def render_POST(self, request: Request) -> int:  # noqa: N802 - the name that Twisted calls
        return self._verifying.render(request)


def _write(request: Request, line: Line) -> None:
    request.write(msgspec.json.encode(line) + b"\n")


async def _quiet(work: "Deferred[object]") -> None:
    """Wait for it; that the client has gone is no failure."""
    try:
        await work
    except CancelledError:
        return
