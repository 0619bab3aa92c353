"""Timers that watch for progress. Nothing here limits how long a transfer takes: a 7 GB layer at 2 MB/s takes an hour.

Progress is noted by a store to an attribute, so that the data path costs nothing; one timer for each watched stream looks at it
when its time is up.
"""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime


@define(eq=False)
class IdleWatch:
    """Calls ``expired`` when no progress was noted for ``seconds``, or too little in each period of that length.

    ``floor`` is the number of units that a period must bring; 1 is a plain idle timer.
    """

    _clock: IReactorTime
    _seconds: float
    _expired: Callable[[], None]
    _floor: int = 1
    _progress: int = field(default=0, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)

    def start(self) -> None:
        """Begin, or begin again after ``stop``."""
        if self._timer is None:
            self._progress = 0
            self._timer = self._clock.callLater(self._seconds, self._look)

    def note(self, units: int) -> None:
        """So many bytes went on."""
        self._progress += units

    def stop(self) -> None:
        """The stream has ended, or waits for something that is not its fault."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._progress < self._floor:
            self._expired()
        else:
            self.start()
