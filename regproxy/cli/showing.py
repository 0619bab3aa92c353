"""How the command line shows things to people: a table on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from regproxy.control import LiveFill
from regproxy.upkeep.report import Finding, Report, Trouble
from regproxy.upkeep.report import Progress as Done

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from regproxy.restore import Restored

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_HEADINGS = ("repository", "path", "received", "size", "age", "clients", "rate")


def size(number: float) -> str:
    """A size in the unit that leaves it below 1024."""
    value = float(number)
    for unit in _UNITS:
        if value < 1024 or unit == _UNITS[-1]:  # noqa: PLR2004 - the step between units
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError


def _row(fill: LiveFill) -> tuple[str, ...]:
    path = "".join(letter if letter.isprintable() else "?" for letter in fill.path)
    whole = "?" if fill.size is None else size(fill.size)
    return (fill.repository, path, size(fill.received), whole, f"{fill.age:.0f} s", str(fill.followers), f"{size(fill.rate)}/s")


def show_fills(fills: Sequence[LiveFill]) -> None:
    """Print the live fills, the oldest first."""
    show_rows(_HEADINGS, [_row(fill) for fill in sorted(fills, key=lambda fill: -fill.age)], "nothing is being fetched")


def show_rows(headings: Sequence[str], rows: Sequence[Sequence[str]], nothing: str) -> None:
    """Print a table on a terminal, lines with tabs elsewhere; ``nothing`` on a terminal if there are none."""
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(row))
        return
    from rich.console import Console  # noqa: PLC0415 - needed on a terminal only
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    table = Table(*headings)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table if rows else nothing)


class Bar:
    """A bar on stderr while something long is done; nothing where stderr is no terminal."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console  # noqa: PLC0415 - needed on a terminal only
            from rich.progress import Progress  # noqa: PLC0415 - as above

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(self._what, total=None)
            self._bar.start()
        return self

    def show(self, done: Done) -> None:
        """Move on."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done.bytes, total=done.total_bytes or None)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()


def show_report(report: Report) -> None:
    """Print each finding on a line, and a summary."""
    for finding in report.findings:
        marks = [mark for mark, held in (("LOCAL", finding.local), ("repaired", finding.repaired)) if held]
        print("\t".join((finding.trouble.value, finding.name, finding.detail, " ".join(finding.nodes), " ".join(marks))))
    print(f"{report.blobs} blobs, {size(report.bytes)} in {report.seconds:.1f} s: {_verdict(report)}")


def _verdict(report: Report) -> str:
    repaired = sum(finding.repaired for finding in report.violations)
    wrong = len(report.violations) - repaired
    parts = []
    if wrong:
        parts.append("1 thing is wrong" if wrong == 1 else f"{wrong} things are wrong")
    if repaired:
        parts.append("1 thing was wrong, and is repaired" if repaired == 1 else f"{repaired} things were wrong, and are repaired")
    return ", and ".join(parts) or "nothing is wrong"


def show_restored(restored: "Restored", source: Path, data_dir: Path) -> None:
    """Print what has come back, and what became of what was there."""
    from regproxy.access.first import FILE  # noqa: PLC0415 - needed here only

    print(f"{restored.blobs} blobs, {size(restored.bytes)} from {source}")
    if restored.aside:
        print(f"the index that was there is {restored.aside}")
        print("blobs that only it names are garbage from now on: the server removes them a few minutes after its start")
    if (data_dir / FILE).exists():
        print(f"users and passwords are those of the backup: {data_dir / FILE} may be of another index")


def show_left_out(findings: Sequence[Finding]) -> None:
    """Print a line on stderr for each node whose blob is not in a backup, or has not come back from one."""
    for finding in findings:
        state = "missing" if finding.trouble is Trouble.MISSING else "damaged"
        for node in finding.nodes:
            word, advice = ("LOST", "") if finding.local else ("left out", "; to be fetched anew")
            print(f"{word}: {node} is {state}: {finding.detail} (blob {finding.name}){advice}", file=sys.stderr)
