"""The journal of a spool file: what its bytes are (``.meta``) and which of them exist (``.extents``); docs/design/spool.md.

Rules:

1. ``.meta`` is there, whole, before byte 0: it is written under another name and renamed.
2. A line of ``.extents`` is appended after the bytes that it speaks of were written: no kill makes it claim bytes that are not
   there. A power loss may, therefore a digest decides, or a line ``kept``, which follows data that has reached the disk.
3. One process writes: the one that holds the spool file's ``flock``. Any may read. What has no newline is no line yet.
"""

import os
from contextlib import suppress
from enum import Enum
from pathlib import Path

from attrs import define, frozen

from regproxy.model.ranges import Extents, Span
from regproxy.store.layout import FILE_MODE

META = ".meta"
EXTENTS = ".extents"
UNFINISHED = ".new"
SUFFIXES = (META, EXTENTS, META + UNFINISHED)

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class State(Enum):
    """What the last line says of the fill."""

    GROWING = "growing"
    KEPT = "kept"
    COMPLETE = "complete"
    FAILED = "failed"


@frozen
class Record:
    """A journal as it was read: the bytes that exist, and how things stand."""

    extents: Extents
    state: State


@define
class Journal:
    """The writer's side, beside the spool file at ``path``. Blocks."""

    _path: str
    _descriptor: int

    @classmethod
    def begin(cls, path: str, about: bytes) -> "Journal":
        """Write ``.meta`` and an empty ``.extents``; nothing of either is left if that fails."""
        journal = cls(path, -1)
        try:
            journal._begin(about)
        except OSError:
            journal.remove()
            raise
        return journal

    def _begin(self, about: bytes) -> None:
        unfinished = Path(self._path + META + UNFINISHED)
        descriptor = os.open(unfinished, _FLAGS | os.O_EXCL, FILE_MODE)
        try:
            os.write(descriptor, about)
        finally:
            os.close(descriptor)
        self._descriptor = os.open(self._path + EXTENTS, _FLAGS | os.O_EXCL, FILE_MODE)
        unfinished.rename(self._path + META)

    @classmethod
    def reopen(cls, path: str) -> "Journal":
        """Go on where another has stopped, perhaps in the middle of a line."""
        journal = cls(path, os.open(path + EXTENTS, _FLAGS, FILE_MODE))
        try:
            os.write(journal._descriptor, b"\n")
        except OSError:
            journal.close()
            raise
        return journal

    def wrote(self, span: Span) -> None:
        """These bytes have been written."""
        os.write(self._descriptor, b"%d %d\n" % (span.start, span.stop))

    def end(self, state: State) -> None:
        """Say how it ended; for ``KEPT`` the line reaches the disk."""
        os.write(self._descriptor, state.value.encode() + b"\n")
        if state is State.KEPT:
            os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Leave the files as they are."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def remove(self) -> None:
        """Close, and take the files away."""
        self.close()
        remove_journal(self._path)


def remove_journal(path: str) -> None:
    """Take away whatever there is of the journal of a spool file."""
    for suffix in SUFFIXES:
        with suppress(FileNotFoundError):
            os.unlink(path + suffix)  # noqa: PTH108 - paths are strings here, see Layout


def read_record(lines: bytes, size: int) -> Record:
    """Read an ``.extents`` file of a spool file of ``size`` bytes; a line that makes no sense says nothing."""
    extents, state = Extents(), State.GROWING
    for line in lines.split(b"\n")[:-1]:
        if line in _ENDINGS:
            state = _ENDINGS[line]
            continue
        start, _, stop = line.partition(b" ")
        if not (start.isdigit() and stop.isdigit() and int(start) <= int(stop) <= size):
            continue
        extents.add(Span(int(start), int(stop)))
        state = State.GROWING
    return Record(extents, state)


_ENDINGS = {state.value.encode(): state for state in State if state is not State.GROWING}
