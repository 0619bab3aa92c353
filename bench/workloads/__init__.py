"""The workloads: one a file. Each starts the peers it needs, and notes samples in the book of the scene."""

from collections.abc import Callable, Mapping

from bench.scene import Scene
from bench.workloads import clients, cold, fairness, hit, outage, packages, ranges, slow, small, tls, workers

WORKLOADS: Mapping[str, Callable[[Scene], None]] = {
    "cold": cold.run,
    "hit": hit.run,
    "outage": outage.run,
    "small": small.run,
    "clients": clients.run,
    "ranges": ranges.run,
    "slow": slow.run,
    "fairness": fairness.run,
    "tls": tls.run,
    "workers": workers.run,
    "packages": packages.run,
}
