"""What a format says of the clients of this machine: how to ask them for their registry, for ``url = "auto"``."""

from collections.abc import Sequence
from typing import Protocol

from attrs import frozen


@frozen
class AutoUrl:
    """Programs to run, in order, until one exits with 0 and ``read`` finds a URL in what it printed."""

    commands: Sequence[Sequence[str]]
    read: "ReadUrl"


class ReadUrl(Protocol):
    """Finds the registry's URL in a client's own words."""

    def __call__(self, printed: str) -> str | None:
        """The URL, or None if there is none in it."""
