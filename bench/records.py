"""What was measured: one record for each sample, kept as JSON; medians and ratios of them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles

import msgspec
from attrs import define, field


class Record(msgspec.Struct, frozen=True):
    """One sample: figures of one peer in one round of one case of a workload."""

    workload: str
    case: str
    peer: str
    round: int
    figures: Mapping[str, float]


@define(eq=False)
class Book:
    """All samples of a run, in their order."""

    records: list[Record] = field(factory=list)

    def add(self, record: Record) -> None:
        """Keep a sample; round 0 is the warm-up, which does not count."""
        if record.round > 0:
            self.records.append(record)

    def samples(self, workload: str, case: str, peer: str, figure: str) -> Sequence[float]:
        """The figures of a peer, in the order of the rounds."""
        return [
            each.figures[figure]
            for each in self.records
            if (each.workload, each.case, each.peer) == (workload, case, peer) and figure in each.figures
        ]

    def median(self, workload: str, case: str, peer: str, figure: str) -> float | None:
        """The median; nothing if there is no sample."""
        samples = self.samples(workload, case, peer, figure)
        return median(samples) if samples else None

    def ratio(self, workload: str, case: str, figure: str, peers: tuple[str, str]) -> float | None:
        """One peer's median by another's."""
        return ratio(*(self.median(workload, case, peer, figure) for peer in peers))

    def workloads(self) -> Sequence[str]:
        """In their order."""
        return unique(each.workload for each in self.records)

    def cases(self, workload: str) -> Sequence[str]:
        """Of a workload, in their order."""
        return unique(each.case for each in self.records if each.workload == workload)

    def peers(self, workload: str, case: str) -> Sequence[str]:
        """Regproxy first, then nginx, then the others by their names: the same order whoever began."""
        names = unique(each.peer for each in self.records if (each.workload, each.case) == (workload, case))
        return sorted(names, key=lambda name: (not name.startswith("regproxy"), name != "nginx", name))

    def figures(self, workload: str, case: str) -> Sequence[str]:
        """In their order."""
        return unique(
            figure for each in self.records if (each.workload, each.case) == (workload, case) for figure in each.figures
        )

    def save(self, file: Path) -> None:
        """Write every sample, a line each."""
        file.write_bytes(b"[\n" + b",\n".join(map(msgspec.json.encode, self.records)) + b"\n]\n")

    @classmethod
    def load(cls, file: Path) -> "Book":
        """Read what ``save`` wrote."""
        return cls(msgspec.json.decode(file.read_bytes(), type=list[Record]))


def ratio(over: float | None, under: float | None) -> float | None:
    """One by the other; nothing if one is missing or cannot divide."""
    return None if over is None or not under else over / under


def spread(samples: Sequence[float]) -> tuple[float, float]:
    """The quartiles; the ends if there are too few samples for those."""
    if len(samples) < 4:
        return min(samples), max(samples)
    low, _, high = quantiles(samples, n=4, method="inclusive")
    return low, high


def percentile(samples: Sequence[float], part: float) -> float:
    """The smallest sample that is not less than this part (0 to 1) of them."""
    ordered = sorted(samples)
    return ordered[max(0, -int(-len(ordered) * part // 1) - 1)]


def unique(names: Iterable[str]) -> Sequence[str]:
    """Each name once, in the order of their first use."""
    return list(dict.fromkeys(names))
