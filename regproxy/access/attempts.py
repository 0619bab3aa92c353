"""Stops guessing: who has been wrong too often has to wait, the longer the more often.

Counted by address, and by address with the user that was tried, so that a stranger cannot lock a user out of his own machine.
"""

from collections import OrderedDict

from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorTime

FREE = 5
FREE_BY_ADDRESS = 30
FIRST_SECONDS = 10.0
LONGEST_SECONDS = 900.0
FORGOTTEN_SECONDS = 1800.0
REMEMBERED = 10_000

Key = tuple[str, str]


@frozen
class _Failures:
    count: int
    last: float
    until: float


@define(eq=False)
class Attempts:
    """Counts failures in memory."""

    _clock: IReactorTime
    _failures: OrderedDict[Key, _Failures] = field(factory=OrderedDict, init=False)

    def wait(self, address: str, user: str) -> int:
        """Seconds until another attempt is looked at; 0 now."""
        now = self._clock.seconds()
        until = max((self._failures[key].until for key in _keys(address, user) if key in self._failures), default=0.0)
        return max(0, int(until - now) + 1) if until > now else 0

    def failed(self, address: str, user: str) -> None:
        """One was wrong."""
        now = self._clock.seconds()
        for key in _keys(address, user):
            free = FREE if key[1] else FREE_BY_ADDRESS
            held = self._failures.pop(key, None)
            count = held.count + 1 if held is not None and now - held.last < FORGOTTEN_SECONDS else 1
            extra = count - free
            pause = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(extra, 10)) if extra >= 0 else 0.0
            self._failures[key] = _Failures(count, now, now + pause)
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, address: str, user: str) -> None:
        """One was right: what this user got wrong at this address is forgiven; the address's other guesses are not."""
        self._failures.pop((address, user), None)


def _keys(address: str, user: str) -> list[Key]:
    """An empty address is a proxy's, behind which everybody may be; a token that is nobody's counts for its address."""
    return [*([(address, "")] if address else []), *([(address, user)] if user else [])]
