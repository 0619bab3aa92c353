"""Event-loop lag: how late a timer is called, which is how long everybody waits for the reactor."""

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

PERIOD = 0.5


@define(eq=False)
class Lag:
    """Looks twice a second; ``seconds`` is the worst of the last sixty looks."""

    _clock: IReactorTime
    _worst: list[float] = field(factory=list, init=False)

    def start(self) -> None:
        """Begin to look, for as long as the reactor runs."""
        due = self._clock.seconds() + PERIOD
        self._clock.callLater(PERIOD, self._look, due)

    def seconds(self) -> float:
        """The worst lag of the last half minute."""
        return max(self._worst, default=0.0)

    def _look(self, due: float) -> None:
        self._worst = [*self._worst[-59:], max(0.0, self._clock.seconds() - due)]
        self.start()
