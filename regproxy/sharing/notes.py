"""Where processes of one server tell one another what they have parked: for each path a small file with the name of a spool file.

For efficiency only: what a note says is looked for in the store before it is believed, and without it upstream is asked for all
of a body.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from attrs import frozen

from regproxy.sharing.mark import name_of

Key = tuple[str, str]


class Notes(Protocol):
    """Who has parked what."""

    def write(self, key: Key, name: str) -> None:
        """Say under which name it is parked. Blocks."""

    def take(self, key: Key) -> str | None:
        """The name, if somebody has parked it; the note goes. Fast: mostly there is none."""


class NoNotes:
    """For the only process of a server."""

    def write(self, key: Key, name: str) -> None:
        """Nobody reads it."""

    def take(self, key: Key) -> str | None:  # noqa: ARG002 - of the interface
        """Nobody has written one."""
        return None


@frozen
class SharedNotes:
    """For one of several processes; the notes lie in ``folder``."""

    _folder: Path

    def write(self, key: Key, name: str) -> None:
        """Make its file, or another one in its place."""
        path = self._folder / name_of(key)
        with suppress(OSError):
            made = path.with_suffix(f".{os.getpid()}")
            made.write_text(name, "ascii")
            made.rename(path)

    def take(self, key: Key) -> str | None:
        """Read it, and remove it."""
        path = self._folder / name_of(key)
        try:
            name = path.read_text("ascii")
            path.unlink()
        except (OSError, ValueError):
            return None
        return name
