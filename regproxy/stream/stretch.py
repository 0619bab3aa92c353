"""A stretch of a body: what one connection is to bring of it."""

from attrs import define, field


@define(eq=False)
class Stretch:
    """The bytes from ``start`` up to ``stop``.

    Attributes:
        stop: None: up to the end, wherever that is. It may move while they come.
        limit: how far the answer goes that they come from: at ``stop`` a connection that has more is cut.
        position: how far they have come, written or not.
    """

    start: int = 0
    stop: int | None = None
    limit: int | None = None
    position: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.position = self.start

    def take(self, count: int) -> int:
        """How many of the next bytes are to be taken; these have come then."""
        if self.stop is not None:
            count = min(count, max(0, self.stop - self.position))
        self.position += count
        return count

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be taken, though there is more."""
        return self.stop is not None and self.position >= self.stop and self.stop != self.limit
