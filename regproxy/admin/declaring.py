"""What the REST API needs of whoever keeps the repositories that are made while the server runs.

Each of its calls raises ``RegproxyError``: INVALID with everything that is wrong with what was said, CONFLICT for a repository of
the configuration file, NOT_FOUND for one that is not there.
"""

from collections.abc import Collection, Mapping
from typing import Protocol


class Declaring(Protocol):
    """Keeps the Repository Configuration JSON as it was said, also what means nothing here; each change is served at once."""

    def look(self) -> None:
        """Serve what was changed by somebody else since the last look. Costs next to nothing."""

    def keys(self) -> Collection[str]:
        """Of all repositories, those of the configuration file too, whether they can be served or not."""

    def said(self, key: str) -> Mapping[str, object] | None:
        """What was said of a repository; None of one that was not made in this way."""

    async def create(self, every: Mapping[str, Mapping[str, object]]) -> None:
        """Make some: all of them, or none where one will not do; INVALID also if there is one. What is None was not said."""

    async def change(self, every: Mapping[str, Mapping[str, object]]) -> None:
        """Change what is said here of some, likewise; None takes back what was said. Class and package type stay."""

    async def remove(self, key: str) -> int:
        """Remove one with everything in it; how many files that were."""
