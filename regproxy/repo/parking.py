"""Parked fills: what was received of bodies that all clients have left, kept for a while for the next who asks.

With ``landing = "park"`` only. They live as long as the process; at the next start their space is reclaimed.
"""

from attrs import define, field, frozen
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from regproxy.errors import Kind, RegproxyError
from regproxy.repo.fill import Fill
from regproxy.stream.spawn import spawn
from regproxy.upstream.interface import Reply

PARKED_SECONDS = 900.0


@frozen(eq=False)
class Parked:
    """A fill that stands still, and the reply that began it."""

    fill: Fill
    reply: Reply


@define(eq=False)
class Parking:
    """The parked fills of one repository, by path."""

    _clock: IReactorTime
    _places: dict[str, tuple[Parked, IDelayedCall]] = field(factory=dict, init=False)

    def __len__(self) -> int:
        return len(self._places)

    def put(self, path: str, parked: Parked) -> None:
        """Keep one; it is given up when nobody has taken it for a quarter of an hour."""
        self._places[path] = (parked, self._clock.callLater(PARKED_SECONDS, self._expire, path))

    def take(self, path: str) -> Parked | None:
        """Take one out, if there is one."""
        place = self._places.pop(path, None)
        if place is None:
            return None
        place[1].cancel()
        return place[0]

    def clear(self) -> None:
        """Give all up."""
        for path in list(self._places):
            self._places[path][1].cancel()
            self._expire(path)

    def _expire(self, path: str) -> None:
        parked, _ = self._places.pop(path)
        reason = RegproxyError(Kind.UPSTREAM_DOWN, "it was left for too long")
        spawn(parked.fill.give_up(reason), f"giving up {path}")
