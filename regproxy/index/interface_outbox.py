"""What is to be told to others and survives a restart: a queue for each target, in the order of what happened.

A further view of an index; ``tests/conformance/outbox.py`` is what it means.
"""

from collections.abc import Sequence
from typing import Protocol

from attrs import frozen
from twisted.internet.defer import Deferred


@frozen
class Letter:
    """Something to be told.

    Attributes:
        name: says of a letter that comes twice that it is one.
        created: seconds since the epoch.
        id: its place in the queue; 0 until it has one.
    """

    target: str
    name: str
    created: float
    body: bytes
    id: int = 0


class Outbox(Protocol):
    """Reads return at once; writes return a Deferred that fires when every later read sees them."""

    def put(self, letters: Sequence[Letter], most: int) -> Deferred[int]:
        """Queue some, up to ``most`` for a target; how many did not fit."""

    def first(self, target: str, limit: int) -> Sequence[Letter]:
        """The oldest of a target."""

    def waiting(self, target: str) -> int:
        """How many a target has."""

    def drop(self, letter: Letter) -> Deferred[None]:
        """It has been heard, or given up."""

    def forget(self, targets: Sequence[str]) -> Deferred[int]:
        """Drop what is for none of these targets; how many that were."""
