"""How much all followers together may send in one turn of the event loop, so that whoever asks for something small meanwhile does
not wait for a megabyte of each of them.

Everybody who sends gets the same share, by the number of those who sent in the turn before, and never less than ``LEAST``:
smaller pieces cost more than they are worth.
"""

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

TURN = 8 << 20
LEAST = 64 << 10


@define(eq=False)
class Turns:
    """Counts senders from turn to turn."""

    _clock: IReactorTime
    _before: int = field(default=1, init=False)
    _now: int = field(default=0, init=False)

    def share(self, most: int) -> int:
        """How much one follower may send now; ``most`` is what it would like."""
        if not self._now:
            self._clock.callLater(0, self._end)  # runs when everything that this turn has found is done
        self._now += 1
        return min(most, max(LEAST, TURN // max(self._before, self._now)))

    def _end(self) -> None:
        self._before, self._now = self._now, 0
