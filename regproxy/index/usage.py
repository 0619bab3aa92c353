"""Counts downloads in memory, so that a hit writes nothing."""

from attrs import define, field


@define
class Tally:
    """What was counted for one path since the last time: how often, until when, and which blobs it was meanwhile."""

    repository: str
    path: str
    downloads: int = 0
    last: float = 0.0
    blobs: dict[str, float] = field(factory=dict)


@define
class Usage:
    """Downloads that are not written yet."""

    _tallies: dict[tuple[str, str], Tally] = field(factory=dict)

    def add(self, repository: str, path: str, sha256: str, when: float) -> None:
        """Count one."""
        key = (repository, path)
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = Tally(repository, path)
        tally.downloads += 1
        tally.last = max(tally.last, when)
        tally.blobs[sha256] = max(tally.blobs.get(sha256, when), when)

    def take(self) -> list[Tally]:
        """Give out what was counted, and begin again."""
        tallies = list(self._tallies.values())
        self._tallies.clear()
        return tallies
