"""The connections of one fill: starts them as the schedule proposes and the pace allows, and ends when every byte is there.

Rules:

1. One connection brings the body as long as nothing else is wanted. A second one is begun for wanted bytes that are far ahead;
   more, up to ``segments``, while they make the whole faster.
2. A connection that fails gives its bytes back. The fill fails when ``RESUMES`` failures in a row brought nothing, or when
   upstream does not give what is missing.
3. A body that is not kept, because of the disk, comes by one connection. A disk that fails while there are several ends them.
4. Where upstream refuses a part, or has enough, no more parts are asked for while there is a connection that may bring the rest.
"""

from typing import Protocol

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from regproxy.errors import Kind, RegproxyError
from regproxy.model.ranges import Span
from regproxy.repo.asking import TRANSIENT, Asking, PartRefusedError
from regproxy.repo.pace import Pace
from regproxy.repo.schedule import Claim, Schedule
from regproxy.stream.enduring import EnduringWriter
from regproxy.stream.hashing import PrefixHashes
from regproxy.stream.ingest import Ingest
from regproxy.stream.passing import PassingBlob
from regproxy.stream.pool import Pool
from regproxy.stream.source import Source

RESUMES = 5
RESUME_WAIT = 0.5
RESUME_LATEST = 60.0
# Pieces of this many connections lie between the prefix and the furthest one.
AHEAD = 3


class Spare(Protocol):
    """Connections that a repository has for more than one to a body."""

    def take(self) -> bool:
        """Take one, if there is one."""

    def give_back(self) -> None:
        """It is not needed any more."""

    def refused(self) -> None:
        """Upstream does not give parts."""

    def busy(self, seconds: float) -> float:
        """Upstream wants fewer requests for a while; returns for how long there is none."""


@frozen
class Way:
    """How a body may be brought.

    Attributes:
        segments: connections at a time.
        whole: everything, not only what clients ask for.
        parts: upstream says that it gives parts.
        spare: where connections beyond the first come from.
    """

    segments: int
    whole: bool
    parts: bool
    spare: Spare


@define(eq=False)
class Connections:
    """Brings a body of known length that can be continued."""

    _blob: PassingBlob
    _writer: EnduringWriter
    _pool: Pool
    _hashes: PrefixHashes
    _clock: IReactorTime
    _asking: Asking
    _schedule: Schedule
    _way: Way
    _pace: Pace = field(init=False)
    _running: dict[Claim, Deferred[None]] = field(factory=dict, init=False)
    _extra: set[Claim] = field(factory=set, init=False)
    _parts: bool = field(default=True, init=False)
    _asked: bool = field(default=False, init=False)
    _failures: int = field(default=0, init=False)
    _brought: int = field(default=0, init=False)
    _not_before: float = field(default=float("-inf"), init=False)
    _busy_until: float = field(default=float("-inf"), init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)
    _done: "Deferred[None] | None" = field(default=None, init=False)
    _outcome: BaseException | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._pace = Pace(self._way.segments)

    async def run(self, claim: Claim, source: Source) -> None:
        """Bring everything, the first bytes from a source.

        Raises:
            CancelledError: after ``stop``.
            RegproxyError: upstream does not bring them.
            OSError: they cannot be written. Whichever it is, no connection is left, and all bytes that were taken are written.
        """
        self._brought = self._blob.extents.total()
        self._blob.watch(self._grown)
        self._blob.wanted_changed = self._look
        try:
            self._begin(claim, source)
            self._grown()
            await self._ended()
        finally:
            self._blob.wanted_changed = None
            self._blob.unwatch(self._grown)
            if self._timer is not None and self._timer.active():
                self._timer.cancel()

    def stop(self) -> None:
        """Let all connections go."""
        self._finish(CancelledError())

    @property
    def _is_there(self) -> bool:
        return self._blob.extents.reach(0) >= self._schedule.size

    async def _ended(self) -> None:
        while self._running or not (self._is_there or self._outcome):
            self._done = Deferred()
            await self._done
        if self._outcome is not None:
            raise self._outcome

    def _finish(self, outcome: BaseException) -> None:
        if self._outcome is None:
            self._outcome = outcome
        for delivery in list(self._running.values()):
            delivery.cancel()
        self._wake()

    def _wake(self) -> None:
        done, self._done = self._done, None
        if done is not None:
            done.callback(None)

    def _grown(self) -> None:
        """More is written: it may be all, or a reason for another number of connections."""
        if self._outcome is not None:
            return
        if self._hashes.error is not None:
            self._finish(self._hashes.error)
            return
        if self._is_there:
            # Those that are at their end are waited for: only a body that is complete by its framing counts.
            for claim, delivery in list(self._running.items()):
                if claim.position != claim.limit:
                    delivery.cancel()
            self._wake()
            return
        if self._way.segments > 1:
            before, active = self._pace.count, sum(claim.position > claim.start for claim in self._running)
            self._pace.note(self._clock.seconds(), self._blob.extents.total(), active)
            if self._pace.count > before:
                self._look()
        if not self._way.whole and not self._blob.is_passing:
            self._leave_unwanted(self._blob.wanted())

    def _look(self) -> None:
        """What is wanted, who is connected, or the time has changed: begin what is to be begun."""
        if self._outcome is not None or self._is_there:
            return
        now, wanted = self._clock.seconds(), self._blob.wanted()
        if not self._way.whole and not self._blob.is_passing:
            self._leave_unwanted(wanted)
        # A question may be refused before ``_begin`` returns, which says when the next one is due, or ends it all.
        while self._is_due(now) and (span := self._next(wanted)) is not None and self._begin(self._schedule.claim(span), None):
            pass
        due = self._busy_until if self._is_due(now) else self._not_before
        if self._outcome is None and now < due:
            self._look_in(due - now)

    def _is_due(self, now: float) -> bool:
        return self._outcome is None and now >= self._not_before

    def _next(self, wanted: list[Span]) -> Span | None:
        """What another connection should bring now."""
        count, schedule = len(self._running), self._schedule
        most = schedule.piece(self._pace.count)
        rest = self._way.whole or not self._asked
        if self._blob.is_passing:
            return schedule.following([], None, rest=True) if count == 0 else None
        if count == 0:
            return schedule.following(wanted, None if self._pace.count == 1 else most, rest=rest)
        if not (self._way.parts and self._parts):
            return None
        if count < max(2, self._pace.count) and (span := schedule.urgent(wanted, most)) is not None:
            return span if self._way.spare.take() else None
        if count >= self._pace.count:
            return None
        ahead = AHEAD * most * self._pace.count
        span = schedule.following(wanted, most, rest=rest, ahead=ahead) or schedule.carved(most)
        return span if span is not None and self._way.spare.take() else None

    def _leave_unwanted(self, wanted: list[Span]) -> None:
        """Only what was asked for is brought: stop those who bring something else."""
        self._asked = self._asked or bool(wanted)
        if self._asked:
            for claim, delivery in list(self._running.items()):
                ends = claim.position == claim.limit
                if not ends and not any(span.start <= claim.position < span.stop for span in wanted):
                    delivery.cancel()

    def _begin(self, claim: Claim, source: Source | None) -> bool:
        """Begin a connection; False where its bytes would not follow those in a window."""
        in_order = not self._running and self._blob.extents.reach(0) == claim.start == self._hashes.position
        if not in_order and not self._writer.scatter():
            self._not_begun(claim, source)
            return False
        if self._running:
            self._extra.add(claim)
        delivery = Deferred.fromCoroutine(self._bring(claim, source))
        self._running[claim] = delivery
        delivery.addBoth(self._over, claim)
        return True

    def _not_begun(self, claim: Claim, source: Source | None) -> None:
        self._schedule.drop(claim)
        if source is not None:
            source.abort()
        if self._running:
            self._way.spare.give_back()
        else:
            self._finish(RegproxyError(Kind.STORAGE, "what was to come does not follow what went by"))

    async def _bring(self, claim: Claim, source: Source | None) -> None:
        if source is None:
            source = await self._asking.part(Span(claim.start, claim.stop or self._schedule.size))
            if not self._schedule.confirm(claim):
                source.abort()
                self._pace.trouble(self._clock.seconds())  # the others are faster than one can be begun
                return
        await Ingest(self._blob, self._writer, self._pool, self._hashes, claim).run(source)
        if claim.stop is not None and claim.position < claim.stop:
            raise RegproxyError(Kind.UPSTREAM_DOWN, "upstream sent fewer bytes than it announced")

    def _over(self, result: Failure | None, claim: Claim) -> None:
        del self._running[claim]
        self._schedule.drop(claim)
        if claim in self._extra:
            self._extra.remove(claim)
            self._way.spare.give_back()
        error = result.value if isinstance(result, Failure) else None
        if error is not None and not isinstance(error, CancelledError) and self._outcome is None:
            self._failed(error)
        self._grown()
        self._look()
        self._wake()

    def _failed(self, error: BaseException) -> None:
        if not isinstance(error, RegproxyError):
            self._finish(error)
        elif error.kind in TRANSIENT:
            self._wait(error)
        elif not self._running:
            self._finish(error)
        else:
            self._parts = False
            if isinstance(error, PartRefusedError):
                self._way.spare.refused()

    def _wait(self, error: RegproxyError) -> None:
        """Begin no connection for a while; the others go on."""
        now, total = self._clock.seconds(), self._blob.extents.total()
        self._failures = 1 if total > self._brought else self._failures + 1
        self._brought = total
        self._pace.trouble(now, error.retry_after or 0.0)
        if self._failures > RESUMES and not self._running:
            self._finish(error)
            return
        wait = RESUME_WAIT * 2 ** min(self._failures - 1, RESUMES)
        if error.retry_after is not None:
            wait = max(wait, min(error.retry_after, RESUME_LATEST))
        self._not_before = max(self._not_before, now + wait)
        if error.kind is Kind.UPSTREAM_BUSY:
            self._busy_until = now + self._way.spare.busy(error.retry_after or 0.0)

    def _look_in(self, seconds: float) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = self._clock.callLater(seconds, self._look)
