"""Whether an upstream is left alone for a while, because it could not be reached.

Failures to connect and answers that never came count; statuses never do. The first failure closes the upstream for ``FIRST``
seconds, each further one for twice as long, up to ``LONGEST``, with jitter; when the time is up one request may try, and
the others fail at once until it knows.
"""

import random
from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

FIRST = 30.0
LONGEST = 300.0
JITTER = 0.1


@define(eq=False)
class Health:
    """The state of one upstream.

    Attributes:
        fixed: seconds that the operator set; 0 is never. None: growing, as above.
    """

    _clock: IReactorTime
    fixed: float | None = None
    _jitter: Callable[[], float] = lambda: random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
    _failures: int = field(default=0, init=False)
    _until: float = field(default=0.0, init=False)
    _probing: bool = field(default=False, init=False)
    _answered: float = field(default=float("-inf"), init=False)

    @property
    def closed(self) -> bool:
        """Whether a request would be refused now."""
        return self._failures > 0 and (self._probing or self._clock.seconds() < self._until)

    @property
    def remaining(self) -> float:
        """Seconds until it is tried again; 0 if it may be now."""
        return max(0.0, self._until - self._clock.seconds()) if self._failures else 0.0

    def enter(self) -> bool:
        """Ask to send a request. False: leave it. After True, one of the three methods below is called."""
        if self.closed:
            return False
        if self._failures:
            self._probing = True
        return True

    def answered(self) -> None:
        """It answered something: it is there."""
        self._failures = 0
        self._probing = False
        self._answered = self._clock.seconds()

    def failed(self, since: float) -> None:
        """It could not be reached, by a request that began at ``since``; its answers to others meanwhile outweigh that."""
        self._probing = False
        if self.fixed == 0 or self._answered >= since:
            return
        if self._failures and self._clock.seconds() < self._until:
            return  # many requests fail together; that is one outage
        self._failures += 1
        period = min(LONGEST, FIRST * 2 ** (self._failures - 1)) * self._jitter() if self.fixed is None else self.fixed
        self._until = self._clock.seconds() + period

    def unknown(self) -> None:
        """The request ended without telling anything: it was cancelled, or failed on our side."""
        self._probing = False
