"""How long an upstream's answer may be believed, and the tables by which formats say so.

A table is data: patterns of paths in order, the first match wins (``docs/formats``). ``never`` content has no row: a
format that must not cache a path does not resolve it.
"""

from collections.abc import Sequence
from re import Pattern

from attrs import frozen

from regproxy.model.want import Shape

NEGATIVE_SECONDS = 30.0


@frozen
class Freshness:
    """How long.

    Attributes:
        period: seconds until upstream is asked again; None for ever.
        negative: seconds that a 404 or 410 is believed; 0 not at all.
    """

    period: float | None
    negative: float = NEGATIVE_SECONDS

    def is_fresh(self, checked: float, now: float) -> bool:
        """Whether what was confirmed at ``checked`` needs no question; a clock that went back does not make it so."""
        return self.period is None or 0 <= now - checked < self.period


IMMUTABLE = Freshness(period=None)


@frozen
class Rule:
    """One row of a format's table: paths that match are of this shape and this fresh."""

    match: Pattern[str]
    shape: Shape
    freshness: Freshness


def rule_for(table: Sequence[Rule], path: str) -> Rule:
    """Find the first row that matches; every table ends with one that matches everything."""
    return next(rule for rule in table if rule.match.search(path))
