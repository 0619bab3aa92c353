"""The live fills, as ``regproxy fetches`` and the metrics show them."""

from collections.abc import Callable, Iterable, Sequence

from attrs import define, field

from regproxy.control import LiveFill
from regproxy.repo.launch import Outcome
from regproxy.repo.remote import Remote
from regproxy.stream.flight import Flight
from regproxy.telemetry.merging import How

Watch = Callable[[str, str, Callable[[], float], How], None]
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

    def watch(self, watch: Watch) -> None:
        """Have the numbers shown."""
        watch("regproxy_inflight_fetches", "Live fills.", self.count, "sum")
        watch("regproxy_fill_age_seconds", "The age of the oldest live fill.", self.oldest, "largest")
        watch("regproxy_followers", "Clients that read what is still arriving.", self.followers, "sum")
        watch("regproxy_upstreams_offline", "Upstreams that are assumed to be offline.", self.offline, "largest")

    def count(self) -> int:
        """How many there are."""
        return sum(not flight.is_elsewhere for remote in self._remotes() for flight in remote.flights)

    def oldest(self) -> float:
        """The age of the oldest."""
        now = self._now()
        return max((now - flight.began for remote in self._remotes() for flight in remote.flights), default=0.0)

    def followers(self) -> int:
        """How many clients read what is still arriving."""
        flights = (flight for remote in self._remotes() for flight in remote.flights)
        return sum(flight.body.blob.readers for flight in flights if flight.body)

    def offline(self) -> int:
        """How many upstreams are assumed to be offline."""
        return sum(remote.upstream.assumed_offline for remote in self._remotes())

    def parkable(self) -> int:
        """How many of them may be parked once nobody reads them any more."""
        return sum(len(remote.flights) for remote in self._remotes() if remote.settings.landing == "park")
