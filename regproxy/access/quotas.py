"""How much somebody may ask for: requests per second, and bytes per period, by user and repository. In memory, of one process.

Both are buckets that fill evenly: one of requests holds a burst, one of bytes what may be had in a period. A download is never
cut for it: whoever has more than there was left waits the longer afterwards. Who shows nothing is counted by his address.
"""

from collections import OrderedDict
from collections.abc import Sequence
from math import ceil
from typing import Self

from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorTime

from regproxy.model.principals import ANONYMOUS
from regproxy.model.settings import Quota
from regproxy.model.size import parse_size

REMEMBERED = 10_000
LONGEST_WAIT = 86_400

Key = tuple[str, str]


@define
class Bucket:
    """Holds ``most`` at first, and is filled by ``rate`` a second; what is taken too much is a debt."""

    most: float
    rate: float
    level: float
    at: float

    def look(self, now: float) -> float:
        """What is in it."""
        self.level = min(self.most, self.level + (now - self.at) * self.rate)
        self.at = now
        return self.level

    def wait(self, wanted: float) -> int:
        """Seconds until there is that much; whole ones, for a header."""
        return max(1, min(LONGEST_WAIT, ceil((wanted - self.level) / self.rate)))


@frozen
class Measure:
    """Fills the buckets of one kind of one rule."""

    most: float
    rate: float

    def bucket(self, now: float) -> Bucket:
        """A full one."""
        return Bucket(self.most, self.rate, self.most, now)


@define(eq=False)
class Rule:
    """One ``[[quota]]`` with the buckets of all whom it concerns."""

    quota: Quota
    requests: Measure | None
    bytes: Measure | None
    _requests: OrderedDict[Key, Bucket] = field(factory=OrderedDict, init=False)
    _bytes: OrderedDict[Key, Bucket] = field(factory=OrderedDict, init=False)

    @classmethod
    def of(cls, quota: Quota, processes: int) -> Self:
        """By the configuration; of several processes each has its part."""
        rate = quota.requests_per_second / processes
        size = parse_size(quota.bytes) / processes if quota.bytes else 0.0
        requests = Measure(max(1.0, quota.burst / processes or rate), rate) if rate else None
        return cls(quota, requests, Measure(size, size / quota.period_seconds) if size else None)

    def concerns(self, user: str, address: str, repository: str) -> bool:
        """Whether it holds for somebody in a repository; not for those of whom a proxy does not say who they are."""
        users, keys = self.quota.users, self.quota.repositories
        is_known = bool(user or address) or self.quota.shared
        return is_known and (not users or (user or ANONYMOUS) in users) and (not keys or repository in keys)

    def key(self, who: str, repository: str) -> Key:
        """Whom it counts together."""
        return ("" if self.quota.shared else who, repository if self.quota.each_repository else "")

    def wait(self, key: Key, now: float) -> int:
        """Take a request; seconds until there is room for it, 0 if there is."""
        if self.bytes is not None:
            left = _of(self._bytes, key, self.bytes, now)
            if left.look(now) <= 0:
                return left.wait(1.0)
        if self.requests is None:
            return 0
        bucket = _of(self._requests, key, self.requests, now)
        if bucket.look(now) < 1:
            return bucket.wait(1.0)
        bucket.level -= 1
        return 0

    def spend(self, key: Key, size: int, now: float) -> None:
        """So many bytes were sent."""
        if self.bytes is not None:
            bucket = _of(self._bytes, key, self.bytes, now)
            bucket.look(now)
            bucket.level -= size


def _of(buckets: OrderedDict[Key, Bucket], key: Key, measure: Measure, now: float) -> Bucket:
    bucket = buckets.get(key)
    if bucket is None:
        bucket = buckets[key] = measure.bucket(now)
        if len(buckets) > REMEMBERED:
            buckets.popitem(last=False)
    else:
        buckets.move_to_end(key)
    return bucket


@define(eq=False)
class Quotas:
    """All of them."""

    _clock: IReactorTime
    _rules: Sequence[Rule] = field(default=(), init=False)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def configure(self, quotas: Sequence[Quota], processes: int) -> None:
        """From now on, these; what was counted for one that is as before still counts."""
        known = {rule.quota: rule for rule in self._rules}
        self._rules = [known.get(quota) or Rule.of(quota, processes) for quota in quotas]

    def wait(self, user: str, address: str, repository: str) -> int:
        """Take a request of a user, or of an address; seconds until there is room for it, 0 if there is."""
        now = self._clock.seconds()
        who = user or address
        waits = (rule.wait(rule.key(who, repository), now) for rule in self._rules if rule.concerns(user, address, repository))
        return next((wait for wait in waits if wait), 0)

    def spend(self, user: str, address: str, repository: str, size: int) -> None:
        """So many bytes were sent to him."""
        now = self._clock.seconds()
        for rule in self._rules:
            if rule.concerns(user, address, repository):
                rule.spend(rule.key(user or address, repository), size, now)
