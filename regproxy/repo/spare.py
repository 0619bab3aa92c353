"""Connections of one repository beyond the first of each fill: half of what it may have, none while upstream does not like it."""

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

# Of a repository that sets no limit.
CONNECTIONS = 64
REFUSED_SECONDS = 600.0
BUSY_SECONDS = 30.0


@define(eq=False)
class SpareConnections:
    """How many there are: fills that begin must always find one for themselves."""

    _clock: IReactorTime
    _most: int
    _taken: int = field(default=0, init=False)
    _none_until: float = field(default=float("-inf"), init=False)

    @classmethod
    def of(cls, clock: IReactorTime, max_connections: int | None, processes: int = 1) -> "SpareConnections":
        """For a repository that may have so many connections, of which each process has its part (``upstream.limits``)."""
        return cls(clock, (max_connections or CONNECTIONS) // processes // 2)

    def take(self) -> bool:
        """Take one, if there is one."""
        if self._taken >= self._most or self._clock.seconds() < self._none_until:
            return False
        self._taken += 1
        return True

    def give_back(self) -> None:
        """It is not needed any more."""
        self._taken -= 1

    def refused(self) -> None:
        """Upstream does not give parts: nobody asks for any for ten minutes, but to continue what broke off."""
        self._rest(REFUSED_SECONDS)

    def busy(self, seconds: float) -> float:
        """Upstream wants fewer requests, for so long if it says so; returns for how long nobody gets another one."""
        self._rest(max(seconds, BUSY_SECONDS))
        return self._none_until - self._clock.seconds()

    def _rest(self, seconds: float) -> None:
        self._none_until = max(self._none_until, self._clock.seconds() + seconds)
