"""How the command line shows things to people: a table on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Sequence

from regproxy.control import LiveFill

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
    rows = [_row(fill) for fill in sorted(fills, key=lambda fill: -fill.age)]
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(row))
        return
    from rich.console import Console  # noqa: PLC0415 - needed on a terminal only
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    table = Table(*_HEADINGS)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table if rows else "nothing is being fetched")
