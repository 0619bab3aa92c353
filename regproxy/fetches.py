"""The live fills, as ``regproxy fetches`` and the metrics show them."""

from collections.abc import Callable, Iterable, Sequence

from attrs import define, field

from regproxy.control import LiveFill
from regproxy.repo.launch import Outcome
from regproxy.repo.remote import Remote
from regproxy.stream.flight import Flight

Sample = tuple[float, int]


@define(eq=False)
class Fetches:
    """Lists the flights of remotes; the rate is that since it was asked last, or since the fill began."""

    _remotes: Callable[[], Iterable[Remote]]
    _now: Callable[[], float]
    _seen: "dict[Flight[Outcome], Sample]" = field(factory=dict, init=False)

    def __call__(self) -> Sequence[LiveFill]:
        """Look."""
        now = self._now()
        fills, seen = [], {}
        for remote in self._remotes():
            for flight in remote.flights:
                received = flight.body.blob.extents.total() if flight.body else 0
                since, before = self._seen.get(flight, (flight.began, 0))
                seen[flight] = (now, received)
                fills.append(
                    LiveFill(
                        repository=flight.key[0],
                        path=flight.key[1],
                        received=received,
                        size=flight.size,
                        age=now - flight.began,
                        followers=flight.body.blob.readers if flight.body else 0,
                        rate=(received - before) / (now - since) if now > since else 0.0,
                    )
                )
        self._seen = seen
        return fills

    def count(self) -> int:
        """How many there are."""
        return sum(not flight.is_elsewhere for remote in self._remotes() for flight in remote.flights)

    def parkable(self) -> int:
        """How many of them may be parked once nobody reads them any more."""
        return sum(len(remote.flights) for remote in self._remotes() if remote.settings.landing == "park")
