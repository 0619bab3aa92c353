"""Make a report of a run: ``python -m bench.report DIR`` writes DIR/README.md and a plot for each workload."""

import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import msgspec

from bench.machine import Run
from bench.programs import CONF
from bench.records import Book, ratio, spread
from bench.targets import table
from bench.workloads import WORKLOADS

INSTALL = (
    'bench/install                     # the peers, below .bench/\npip install -e ".[test,bench]"    # with matplotlib, for plots'
)


def main() -> None:
    """Write it."""
    folder = Path(sys.argv[1])
    book = Book.load(folder / "samples.json")
    run = msgspec.json.decode((folder / "run.json").read_bytes(), type=Run)
    plots: Sequence[str] = []
    if find_spec("matplotlib") is None:
        print('no plots: matplotlib is missing (pip install -e ".[bench]")')
    else:
        plots = import_module("bench.plots").draw(book, folder)
    (folder / "README.md").write_text("\n".join(report(book, run, plots)) + "\n", encoding="utf-8")
    print(folder / "README.md")


def report(book: Book, run: Run, plots: Sequence[str]) -> Iterator[str]:
    """Its lines."""
    yield from ("# Benchmark", "")
    yield f"Medians of {run.rounds} alternating rounds after a warm-up; all on one machine, which was client and origin too."
    yield "Ratios mean something, absolute figures little. Every sample is in [samples.json](samples.json)."
    yield from ("", "## Targets", "", *table(book), "")
    for workload in book.workloads():
        yield from _workload(book, workload, plots)
    yield from (
        "## Machine and versions",
        "",
        *(f"- {name}: {value}" for name, value in {**run.machine, **run.versions}.items()),
        "",
    )
    if run.missing:
        yield from ("Left out:", "", *(f"- {name}: {reason.splitlines()[0]}" for name, reason in run.missing.items()), "")
    yield from ("## Configurations", "", "With a comment on everything that was tuned:", "")
    yield from (f"- [{file.name}](../../bench/conf/{file.name})" for file in sorted(CONF.iterdir()) if file.is_file())
    yield from ("", "## Again", "", "```", INSTALL, run.command, "python -m bench.report DIR", "```", "")
    yield f"It took {run.minutes:g} minutes."


def _workload(book: Book, workload: str, plots: Sequence[str]) -> Iterator[str]:
    text = sys.modules[WORKLOADS[workload].__module__].__doc__ or ""
    yield from (f"## {workload}", "", " ".join(text.split()), "")
    for case in book.cases(workload):
        yield from (f"**{case}**", "", *comparison(book, workload, case), "")
    if f"{workload}.png" in plots:
        yield from (f"![{workload}]({workload}.png)", "")


def comparison(book: Book, workload: str, case: str) -> Sequence[str]:
    """Peers by figures; the first figure has its quartiles, and what regproxy is of it."""
    figures = book.figures(workload, case)
    lines = [f"| | {' | '.join(figures)} | quartiles of {figures[0]} | regproxy ÷ it |", "|---" * (len(figures) + 3) + "|"]
    mine = book.median(workload, case, "regproxy", figures[0])
    for peer in book.peers(workload, case):
        medians = [book.median(workload, case, peer, figure) for figure in figures]
        low, high = spread(book.samples(workload, case, peer, figures[0]))
        times = ratio(mine, medians[0])
        cells = [*(map(shown, medians)), f"{shown(low)} – {shown(high)}", shown(times)]
        lines.append(f"| {peer} | {' | '.join(cells)} |")
    return lines


def shown(value: float | None) -> str:
    """Three digits that count, no exponent."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
