"""The report and its table of targets."""

import pytest

from bench.machine import Run
from bench.records import Book, Record
from bench.report import comparison, report, shown
from bench.targets import TARGETS, Target, table

RUN = Run("python -m bench --rounds 2", 2, 3.5, {"processor": "2 × x"}, {"nginx": "1.22"}, {"squid": "squid is not installed"})


def measured(regproxy: float, nginx: float) -> Book:
    """A book with cold rates."""
    records = [
        Record("cold", "1024 MiB", peer, number, {"MB/s": rate, "CPU s/GB": 1.2 if peer == "regproxy" else 1.0})
        for number in (1, 2)
        for peer, rate in (("nginx", nginx), ("regproxy", regproxy), ("bare", 999.0))
    ]
    return Book(records)


def row(book: Book, begin: str) -> str:
    """The line of a target."""
    return next(line for line in table(book) if line.startswith(f"| {begin}"))


def test_met_and_not_met() -> None:
    """Wanted, measured, and whether that is enough."""
    assert row(measured(110.0, 100.0), "cold, rate") == "| cold, rate ÷ nginx | ≥ 1 | 1.1 | met |"
    assert row(measured(90.0, 100.0), "cold, rate") == "| cold, rate ÷ nginx | ≥ 1 | 0.9 | **not met** |"
    assert row(measured(90.0, 100.0), "cold, CPU").endswith("| ≤ 1.3 | 1.2 | met |")


def test_what_was_not_measured_is_not_met() -> None:
    """It is said, not left out."""
    assert row(measured(1.0, 1.0), "fairness").endswith("| not measured |")
    assert len(table(Book())) == len(TARGETS) + 2


@pytest.mark.parametrize(
    ("value", "least", "met"), [(2.0, True, True), (1.9, True, False), (2.0, False, True), (2.1, False, False)]
)
def test_bounds_belong_to_what_is_met(value: float, least: bool, met: bool) -> None:  # noqa: FBT001 - parametrised
    """At least, or at most, so much."""
    assert Target("x", lambda _: value, 2.0, least).met(value) == met


def test_comparison() -> None:
    """A row for each peer: medians, quartiles, and what regproxy is of it."""
    lines = comparison(measured(110.0, 100.0), "cold", "1024 MiB")
    assert [
        "| | MB/s | CPU s/GB | quartiles of MB/s | regproxy ÷ it |",
        "|---|---|---|---|---|",
        "| regproxy | 110 | 1.2 | 110 – 110 | 1 |",
        "| nginx | 100 | 1 | 100 – 100 | 1.1 |",
        "| bare | 999 | 1 | 999 – 999 | 0.11 |",
    ] == lines


def test_report_can_be_repeated() -> None:
    """Command, versions, what was left out, and a plot where there is one."""
    text = "\n".join(report(measured(110.0, 100.0), RUN, ["cold.png"]))
    for part in (
        "python -m bench --rounds 2",
        "- nginx: 1.22",
        "- squid: squid is not installed",
        "![cold](cold.png)",
        "nginx-cache.conf",
    ):
        assert part in text


@pytest.mark.parametrize(("value", "text"), [(None, ""), (12345.6, "12,346"), (1.234, "1.23"), (0.0, "0")])
def test_figures(value: float | None, text: str) -> None:
    """Three digits that count."""
    assert shown(value) == text
