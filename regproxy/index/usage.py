"""Counts uses and downloads in memory, so that a hit writes nothing."""

from collections.abc import Iterable

from attrs import define, field


@define
class Tally:
    """What was counted for one path since the last time: until when it was used, which blobs it was meanwhile, and its downloads.

    Attributes:
        again: whether it has been tried to be written before, and there was no such node.
    """

    repository: str
    path: str
    used: float = 0.0
    blobs: dict[str, float] = field(factory=dict)
    downloads: int = 0
    last: float = 0.0
    by: str = ""
    again: bool = False


@define
class Usage:
    """What is not written yet."""

    _tallies: dict[tuple[str, str], Tally] = field(factory=dict)

    def add(self, repository: str, path: str, sha256: str, when: float) -> None:
        """A blob was opened as this node."""
        tally = self._of(repository, path)
        tally.used = max(tally.used, when)
        tally.blobs[sha256] = max(tally.blobs.get(sha256, when), when)

    def download(self, repository: str, path: str, when: float, by: str) -> None:
        """Somebody has all of it."""
        tally = self._of(repository, path)
        tally.downloads += 1
        if when >= tally.last:
            tally.last, tally.by = when, by

    def _of(self, repository: str, path: str) -> Tally:
        key = (repository, path)
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = Tally(repository, path)
        return tally

    def take(self) -> list[Tally]:
        """Give out what was counted, and begin again."""
        tallies = list(self._tallies.values())
        self._tallies.clear()
        return tallies

    def give_back(self, missed: Iterable[Tally]) -> bool:
        """Count once more what was downloaded before its node had a row: a client has the last byte a moment earlier."""
        late = [tally for tally in missed if not tally.again]
        for tally in late:
            self._of(tally.repository, tally.path).again = True
            for _ in range(tally.downloads):
                self.download(tally.repository, tally.path, tally.last, tally.by)
        return bool(late)
