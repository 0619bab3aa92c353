"""What ``[limits]`` bounds, made once for a process; every count of it is a metric."""

from collections.abc import Callable

from attrs import frozen

from regproxy.descriptors import Affordable, raised
from regproxy.model.settings import Configuration
from regproxy.stream.places import Places
from regproxy.stream.stalls import Stalls
from regproxy.telemetry.metrics import Metrics
from regproxy.web.clients import Trusted
from regproxy.web.doors import Doors


@frozen
class Admission:
    """Who comes in, what is answered, what is fetched, and who may stand still, each up to a number."""

    doors: Doors
    requests: Places
    fills: Places
    stalls: Stalls
    idle_seconds: int

    @classmethod
    def of(cls, configuration: Configuration, metrics: Metrics) -> "Admission":
        """By the configuration, or where it says nothing by the files that this process may have open."""
        limits, affordable = configuration.limits, Affordable.of(raised())

        def shed(limit: str) -> Callable[[], None]:
            return lambda: metrics.shed(limit)

        places = limits.connections or affordable.connections
        trusted = Trusted.of(configuration.server.trusted_proxies)
        doors = Doors(places, limits.connections_per_client or places // 2, trusted, shed("connectionsPerClient"))
        stalls = Stalls(limits.stalled_per_client, shed("stalledPerClient"))
        metrics.watch("regproxy_connections", "Connections of clients.", lambda: doors.open)
        metrics.watch("regproxy_stalled_responses", "Responses whose client takes nothing.", lambda: stalls.count)
        requests, fills = Places(limits.requests, shed("requests")), Places(limits.fills or affordable.fills, shed("fills"))
        return cls(doors, requests, fills, stalls, limits.idle_seconds)
