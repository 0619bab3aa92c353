"""Repositories that were made while the server ran, as an index keeps them: what was said of each. A fourth view of an index.

``tests/conformance/declarations.py`` is what it means. Reads run in the reactor; writes are durable when their Deferred fires,
and every later read sees them.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

from twisted.internet.defer import Deferred

Said: TypeAlias = Mapping[str, object]
"""The Repository Configuration JSON as it was sent: with the keys that mean nothing here, and with its secrets."""


class Declarations(Protocol):
    """What was said of repositories, by their keys. One that was removed is *leaving* until nothing of it is left."""

    def stamp(self) -> int:
        """A number that differs when anything may have changed, by this process or another. Costs next to nothing."""

    def every(self) -> Mapping[str, Said]:
        """All, by key."""

    def leaving(self) -> Sequence[str]:
        """Those that were removed, and of which something is left."""

    def put(self, key: str, said: Said, *, replace: bool) -> Deferred[bool]:
        """Keep one; False, and nothing is changed, unless there was one exactly where it is to be replaced, or it is leaving."""

    def remove(self, key: str) -> Deferred[int | None]:
        """From now on it is leaving: how many nodes there are to clear; None if there was no such repository."""

    def clear(self, key: str, limit: int = 1000) -> Deferred[int]:
        """Remove so many nodes of a repository that has no declaration; how many. With the last of them all else goes, folders
        and what was believed of its upstream, and it is leaving no more.
        """
