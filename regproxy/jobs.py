"""Periodic services: what regproxy does by itself, in small steps, in one place.

Rules: a step is small, and says in how many seconds the next one is due; what blocks in it runs on a pool, never in the
reactor. Steps of one job never overlap, and ``stop`` waits for those that are under way. A step that fails is logged and tried
again later: no job ends by itself. Of several processes that share a store, one runs these.
"""

from collections.abc import Awaitable, Callable, Iterable

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from txaio.tx import make_logger

log = make_logger()

AGAIN_SECONDS = 60.0

Step = Callable[[], Awaitable[float]]


@define(eq=False)
class Job:
    """One service: ``step`` does a little and returns the seconds until it wants to be called again.

    Attributes:
        first: seconds from the start to the first step.
    """

    name: str
    step: Step
    first: float = 0.0
    _timer: IDelayedCall | None = field(default=None, init=False)
    _running: "Deferred[None] | None" = field(default=None, init=False)
    _nudged: bool = field(default=False, init=False)
    _clock: IReactorTime | None = field(default=None, init=False)

    @property
    def runs(self) -> bool:
        """Whether it has been started and not stopped."""
        return self._clock is not None

    def start(self, clock: IReactorTime) -> None:
        """Begin to call ``step``."""
        self._clock = clock
        self._later(self.first)

    def nudge(self) -> None:
        """Let the next step come now, or directly behind the one that is under way; nothing if it is not started."""
        if self._clock is None:
            return
        if self._running is not None:
            self._nudged = True
        elif self._timer is not None:
            self._timer.reset(0)

    async def stop(self) -> None:
        """Call ``step`` no more; returns when the one that is under way has ended."""
        self._clock = None
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        if self._running is not None:
            await self._running

    def _later(self, seconds: float) -> None:
        if self._clock is not None:
            self._timer = self._clock.callLater(seconds, self._begin)

    def _begin(self) -> None:
        self._timer = None
        # Made before the step runs: it may end at once.
        running: Deferred[None] = Deferred()
        self._running = running
        Deferred.fromCoroutine(self._run()).chainDeferred(running)

    async def _run(self) -> None:
        try:
            pause = await self.step()
        except Exception:  # noqa: BLE001 - whatever it is, the job goes on
            log.failure("{name} failed, and is tried again: {log_failure.value!r}", name=self.name)
            pause = AGAIN_SECONDS
        self._running = None
        nudged, self._nudged = self._nudged, False
        self._later(0.0 if nudged else pause)


@define(eq=False)
class Jobs:
    """The services of a process, from ``start`` to ``stop``; both may be called again."""

    _clock: IReactorTime
    _jobs: dict[str, Job] = field(factory=dict, init=False)
    _started: bool = field(default=False, init=False)

    def add(self, jobs: Iterable[Job]) -> None:
        """Have further ones, which begin at once if the others have; ``ValueError`` for a name that is taken."""
        for job in jobs:
            if job.name in self._jobs:
                raise ValueError(f"there is a job {job.name!r} already")
            self._jobs[job.name] = job
            if self._started:
                job.start(self._clock)

    def start(self) -> None:
        """Begin all of them."""
        self._started = True
        for job in self._jobs.values():
            job.start(self._clock)

    async def stop(self) -> None:
        """End all of them; returns when no step is under way."""
        self._started = False
        for job in self._jobs.values():
            await job.stop()

    def nudge(self, name: str) -> None:
        """Let a job's next step come now."""
        self._jobs[name].nudge()
