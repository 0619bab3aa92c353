"""How many of something may go on at once in this process, and what a client is told when that is too many."""

from collections.abc import Callable

from attrs import define, field

RETRY_AFTER = 5


@define(eq=False)
class Places:
    """Counts; a limit of 0 is none. ``refused`` is told of each time that somebody was sent away."""

    limit: int = 0
    _refused: Callable[[], None] = field(default=lambda: None)
    taken: int = field(default=0, init=False)

    @property
    def is_full(self) -> bool:
        """Whether one more would be too many."""
        return 0 < self.limit <= self.taken

    def refuses(self) -> bool:
        """``is_full``, noting it: the one who asks is sent away if so."""
        full = self.is_full
        if full:
            self._refused()
        return full
