"""Whether a host is left alone for a while, because it could not be reached.

Failures to connect and answers that never came count; statuses never do. The first failure closes the host for ``FIRST``
seconds, each further one for twice as long, up to ``LONGEST``, with jitter; when the time is up one request may try, and
the others fail at once until it knows. A connection that was made and closed without an answer may be the fault of one address
(a handler that crashes, a filter): only a second address, without an answer to anything between, makes it a failure.

Each host that one remote reaches, its own or one that redirects lead to, is judged by itself; remotes share no judgement, because
proxies, certificates and source addresses differ.
"""

import math
import random
from collections import OrderedDict
from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from regproxy.errors import Kind, RegproxyError
from regproxy.upstream.failures import HungUpError
from regproxy.upstream.origin import Origin

HOSTS = 64
FIRST = 30.0
LONGEST = 300.0
JITTER = 0.1


@define(eq=False)
class Health:
    """The state of one host.

    Attributes:
        fixed: seconds that the operator set; 0 is never. None: growing, as above.
    """

    _clock: IReactorTime
    fixed: float | None = None
    _jitter: Callable[[], float] = lambda: random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
    _failures: int = field(default=0, init=False)
    _until: float = field(default=0.0, init=False)
    _doubtful: bool = field(default=False, init=False)
    _probing: bool = field(default=False, init=False)
    _answered: float = field(default=float("-inf"), init=False)
    _hung_up_on: str | None = field(default=None, init=False)

    @property
    def closed(self) -> bool:
        """Whether a request would be refused now."""
        return self._failures > 0 and (self._probing or self._clock.seconds() < self._until)

    @property
    def doubtful(self) -> bool:
        """Whether it failed, and has answered nothing since."""
        return self._doubtful

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
        self._failures, self._hung_up_on = 0, None
        self._doubtful = self._probing = False
        self._answered = self._clock.seconds()

    def failed(self, since: float) -> None:
        """It could not be reached, by a request that began at ``since``; its answers to others meanwhile outweigh that."""
        self._probing = False
        if self._answered >= since:
            return
        self._doubtful = True
        if self.fixed == 0:
            return
        if self._failures and self._clock.seconds() < self._until:
            return  # many requests fail together; that is one outage
        self._failures += 1
        period = min(LONGEST, FIRST * 2 ** (self._failures - 1)) * self._jitter() if self.fixed is None else self.fixed
        self._until = self._clock.seconds() + period

    def unknown(self) -> None:
        """The request ended without telling anything: it was cancelled, or failed on our side."""
        self._probing = False

    def ended(self, error: BaseException, since: float, url: str, *, timed_out: bool) -> None:
        """A request to it that began at ``since`` ended without an answer: see what that tells."""
        if isinstance(error, RegproxyError) and error.kind is Kind.UPSTREAM_BAD:
            self.answered()
        elif isinstance(error, HungUpError) and not timed_out and not self._hangs_up(url):
            self.unknown()
        elif timed_out or isinstance(error, RegproxyError):
            self.failed(since)
        else:
            self.unknown()

    def _hangs_up(self, url: str) -> bool:
        """Whether it does so whatever it is asked."""
        before, self._hung_up_on = self._hung_up_on, url
        return self._failures > 0 or before not in {None, url}


@define(eq=False)
class Hosts:
    """The health of the hosts of one remote, as many as were asked last."""

    _clock: IReactorTime
    _fixed: float | None = None
    _known: OrderedDict[Origin, Health] = field(factory=OrderedDict, init=False)

    def of(self, host: Origin) -> Health:
        """The health of a host."""
        health = self._known.get(host)
        if health is None:
            health = self._known[host] = Health(self._clock, self._fixed)
            if len(self._known) > HOSTS:
                self._known.popitem(last=False)
        self._known.move_to_end(host)
        return health

    def enter(self, host: Origin) -> Health:
        """Ask to send a request to a host; what becomes of it must be told.

        Raises:
            RegproxyError: UPSTREAM_DOWN: it is left alone for now.
        """
        health = self.of(host)
        if not health.enter():
            wait = max(1, math.ceil(health.remaining))
            text = f"{host} could not be reached; it is tried again in {wait} s"
            raise RegproxyError(Kind.UPSTREAM_DOWN, text, retry_after=wait)
        return health
