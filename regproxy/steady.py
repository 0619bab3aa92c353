"""The reactor's clock: it says what the wall clock said when the process began, plus what has passed since.

Nobody can set it. Timers neither fire all at once nor stand still when the wall clock is corrected, and no period that is
measured here is negative or endless. Time in which the machine slept counts. Time stamps that outlive the process (the index) are
of this clock too; whoever reads them expects stamps of the future, and believes none (``docs/design/decisions.md``).
"""

import time

from attrs import frozen
from twisted.internet.posixbase import PosixReactorBase


@frozen
class Steady:
    """A clock."""

    _start: float

    @classmethod
    def begin(cls) -> "Steady":
        """Take the wall clock's word, once."""
        return cls(time.time() - _elapsed())

    def __call__(self) -> float:
        """Seconds since the epoch, as far as we know."""
        return self._start + _elapsed()


def _elapsed() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def steady(reactor: PosixReactorBase) -> None:
    """Make a reactor use such a clock; Twisted's own is the wall clock."""
    reactor.seconds = Steady.begin()
