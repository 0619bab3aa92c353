"""The book of samples: medians, ratios, what a warm-up is worth."""

from pathlib import Path

import pytest

from bench.records import Book, Record, percentile, ratio, spread


def book(**samples: list[float]) -> Book:
    """One case of one workload: rates of peers, the first of each in the warm-up."""
    made = Book()
    for peer, values in samples.items():
        for number, value in enumerate(values):
            made.add(Record("cold", "1 MiB", peer, number, {"MB/s": value}))
    return made


def test_warm_up_does_not_count() -> None:
    """Round 0 is in no median and in no file."""
    made = book(regproxy=[1000.0, 1.0, 2.0, 9.0])
    assert made.samples("cold", "1 MiB", "regproxy", "MB/s") == [1.0, 2.0, 9.0]
    assert made.median("cold", "1 MiB", "regproxy", "MB/s") == 2.0


def test_ratio_is_one_of_medians() -> None:
    """An outlier on one side moves nothing."""
    made = book(regproxy=[0.0, 10.0, 12.0, 900.0], nginx=[0.0, 4.0, 3.0, 5.0])
    assert made.ratio("cold", "1 MiB", "MB/s", ("regproxy", "nginx")) == 3.0


@pytest.mark.parametrize(("over", "under"), [(None, 1.0), (1.0, None), (1.0, 0.0)])
def test_no_ratio(over: float | None, under: float | None) -> None:
    """What was not measured has no ratio."""
    assert ratio(over, under) is None


def test_unknown_peer_has_no_median() -> None:
    """Nothing is made up."""
    assert book(nginx=[0.0, 1.0]).median("cold", "1 MiB", "regproxy", "MB/s") is None


def test_order_of_peers() -> None:
    """Regproxy, nginx, then by name, whoever was measured first."""
    assert book(varnish=[0.0, 1.0], nginx=[0.0, 1.0], bare=[0.0, 1.0], regproxy=[0.0, 1.0]).peers("cold", "1 MiB") == [
        "regproxy",
        "nginx",
        "bare",
        "varnish",
    ]


def test_saved_and_loaded(tmp_path: Path) -> None:
    """Every sample is in the file."""
    made = book(regproxy=[0.0, 1.5, 2.5], nginx=[0.0, 3.0])
    made.save(tmp_path / "samples.json")
    assert Book.load(tmp_path / "samples.json").records == made.records


@pytest.mark.parametrize(
    ("samples", "ends"), [([3.0, 1.0, 2.0], (1.0, 3.0)), ([5.0, 1.0, 2.0, 3.0, 4.0], (2.0, 4.0)), ([7.0], (7.0, 7.0))]
)
def test_spread(samples: list[float], ends: tuple[float, float]) -> None:
    """Quartiles, or the ends of too few samples."""
    assert spread(samples) == ends


@pytest.mark.parametrize(("part", "wanted"), [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0), (0.001, 1.0)])
def test_percentile(part: float, wanted: float) -> None:
    """A percentile is one of the samples."""
    assert percentile([float(each) for each in range(100, 0, -1)], part) == wanted
