"""How an index finds items by what is known of them. A fifth view of an index.

``tests/index/test_findings.py`` is what it means.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from regproxy.index.interface import Sum
from regproxy.model.counts import Count
from regproxy.model.finding import Finding, Found


class Rows(Protocol):
    """What was found. For one thread at a time, and not the reactor's: each call blocks."""

    def page(self, limit: int = 500) -> Sequence[Found]:
        """The next of them; none at the end. ``RegproxyError`` (TOO_SLOW) when the search takes too long."""

    def close(self) -> None:
        """Nobody wants more."""


class Findings(Protocol):
    """Finds items."""

    def counts(self) -> Sequence[Count]:
        """How much there is in each repository that has anything. Reads all of it. Blocks."""

    def held(self) -> Sum:
        """The blobs of the store, as ``Index.held`` says it."""

    def find(self, finding: Finding, names: Mapping[str, str], seconds: float) -> Rows:
        """Look in the repositories that ``names`` has by their keys, with what each is asked for by; in so much time. Blocks."""
