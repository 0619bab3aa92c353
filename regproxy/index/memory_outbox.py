"""``Outbox`` in a list: for tests."""

from collections.abc import Sequence
from itertools import count

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, succeed

from regproxy.index.interface_outbox import Letter


@define(eq=False)
class MemoryOutbox:
    """Its letters, oldest first."""

    letters: list[Letter] = field(factory=list, init=False)
    _ids: "count[int]" = field(factory=lambda: count(1), init=False)

    def put(self, letters: Sequence[Letter], most: int) -> Deferred[int]:
        """Queue some."""
        lost = 0
        for letter in letters:
            if self.waiting(letter.target) < most:
                self.letters.append(evolve(letter, id=next(self._ids)))
            else:
                lost += 1
        return succeed(lost)

    def first(self, target: str, limit: int) -> Sequence[Letter]:
        """The oldest."""
        return [letter for letter in self.letters if letter.target == target][:limit]

    def waiting(self, target: str) -> int:
        """Count."""
        return sum(letter.target == target for letter in self.letters)

    def drop(self, letter: Letter) -> Deferred[None]:
        """Forget one."""
        self.letters = [each for each in self.letters if each.id != letter.id]
        return succeed(None)

    def forget(self, targets: Sequence[str]) -> Deferred[int]:
        """Forget those of others."""
        before = len(self.letters)
        self.letters = [each for each in self.letters if each.target in targets]
        return succeed(before - len(self.letters))
