"""The metrics of several processes as those of one server. Pure.

Counters and histograms add up; those of processes that have ended are kept, so that a sum never falls. Gauges are of those who
live: they add up, or the largest holds (``LARGEST``: a lag, or something that all see alike, such as the size of the store).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

How = Literal["sum", "largest"]
Labels = tuple[tuple[str, str], ...]

_CREATED = "_created"
_LASTING = frozenset({"counter", "histogram"})


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """One number of one process."""

    name: str
    labels: Labels
    value: float


class Family(msgspec.Struct, frozen=True):
    """One metric of one process, or of several; ``kind`` is its type in OpenMetrics."""

    name: str
    kind: str
    text: str
    how: How
    samples: tuple[Sample, ...]


def family_of(metric: Metric, how: How) -> Family:
    """One metric as it is now."""
    samples = tuple(Sample(each.name, tuple(sorted(each.labels.items())), each.value) for each in metric.samples)
    return Family(metric.name, metric.type, metric.documentation, how, samples)


def lasting(families: Iterable[Family]) -> list[Family]:
    """What stays of a process that has ended."""
    return [family for family in families if family.kind in _LASTING]


def merged(processes: Iterable[Sequence[Family]]) -> list[Family]:
    """All processes as one, in the order in which metrics are first seen."""
    found: dict[str, Family] = {}
    values: dict[str, dict[tuple[str, Labels], float]] = {}
    for family in (each for process in processes for each in process):
        found.setdefault(family.name, family)
        numbers = values.setdefault(family.name, {})
        for sample in family.samples:
            key = (sample.name, sample.labels)
            numbers[key] = _joined(numbers[key], sample, family.how) if key in numbers else sample.value
    return [
        msgspec.structs.replace(family, samples=tuple(Sample(*key, value) for key, value in values[name].items()))
        for name, family in found.items()
    ]


def _joined(value: float, sample: Sample, how: How) -> float:
    if sample.name.endswith(_CREATED):
        return min(value, sample.value)
    return max(value, sample.value) if how == "largest" else value + sample.value


class _Page:
    """What the exposition asks for its metrics."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Give them out."""
        for family in self._families:
            metric = Metric(family.name, family.text, family.kind)
            for sample in _in_order(family.samples):
                metric.add_sample(sample.name, dict(sample.labels), sample.value)
            yield metric


def _in_order(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Samples of the same labels together, as the format demands; ``le`` is a histogram's own."""
    groups: dict[Labels, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(tuple(label for label in sample.labels if label[0] != "le"), []).append(sample)
    return [sample for group in groups.values() for sample in group]


def page(families: Sequence[Family]) -> tuple[bytes, str]:
    """The page of OpenMetrics, and its media type. Takes milliseconds."""
    return generate_latest(_Page(families)), CONTENT_TYPE_LATEST
