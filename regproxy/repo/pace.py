"""How many connections one fill should have now: as many as make it faster. Pure; told the time and the bytes.

It begins with one, tries a second, then four times as many while that makes the whole clearly faster; otherwise it goes back and
looks again only after a while. Trouble (an error, a refusal, 429) halves it at once.
"""

from attrs import define, field

# A rate is that of at least this time, from when all connections bring bytes.
SECONDS = 0.2
GAIN = 1.2
GROWTH = 4
AGAIN_SECONDS = 15.0


@define(eq=False)
class Pace:
    """The number of connections, between one and ``most``."""

    most: int
    count: int = field(default=1, init=False)
    _since: float | None = field(default=None, init=False)
    _bytes: int = field(default=0, init=False)
    _before: tuple[int, float] = field(default=(0, 0.0), init=False)
    _rests_until: float = field(default=float("-inf"), init=False)

    def note(self, now: float, total: int, active: int) -> None:
        """So many bytes have come, and so many connections bring them."""
        if self.most == 1 or now < self._rests_until:
            return
        if self._since is None:
            if active >= self.count:
                self._since, self._bytes = now, total
            return
        if now - self._since < SECONDS:
            return
        rate = (total - self._bytes) / (now - self._since)
        count, best = self._before
        self._since = None
        if rate < best * GAIN:
            self.count = max(1, count)
            self._rest(now + AGAIN_SECONDS)
        elif self.count == self.most:
            self._rest(float("inf"))
        else:
            self._before = (self.count, rate)
            self.count = min(self.most, self.count * GROWTH if self.count > 1 else 2)

    def trouble(self, now: float, wait: float = 0.0) -> None:
        """Something went wrong that fewer connections may spare us."""
        self.count = max(1, self.count // 2)
        self._rest(now + max(wait, AGAIN_SECONDS))

    def _rest(self, until: float) -> None:
        self._rests_until, self._since, self._before = until, None, (0, 0.0)
