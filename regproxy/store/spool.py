"""A blob that is being written to disk: a spool file with a random name, until it is given its own or removed.

Nothing is visible before commit, and a commit is one step: the file gets its name whole or not at all, whenever the process
dies. What the name stands for is on the disk before the name is (``durable``): data first, then the name, then the folder.
A file with a journal (``about``) outlives its writer, and can be continued by the next.
"""

import fcntl
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from attrs import define, field

from regproxy.model.ranges import Span
from regproxy.store.attending import is_attended
from regproxy.store.claims import claim_path
from regproxy.store.journal import Journal, State
from regproxy.store.layout import FILE_MODE, RESUME_FLAGS, SPOOL_FLAGS, Layout, sync_folder
from regproxy.store.writing import require, reserve, write_all


def prefix_of(process: int) -> str:
    """How the names of all spool files begin that a process has made: those without a journal are of no use without it."""
    return f"{process:08x}"


@define
class SpoolWriter:
    """A ``BlobWriter``. Its descriptor is closed by commit and abort: who wants to read on has a ``dup`` of it."""

    _layout: Layout
    _path: str
    _descriptor: int
    _reserved: int
    _journal: Journal | None = None
    _begun: bool = field(default=False, init=False)
    _due: int = field(default=0, init=False)

    @classmethod
    def create(cls, layout: Layout, length: int | None, about: bytes | None = None) -> "SpoolWriter":
        """Begin a spool file; nothing of it is left if the length does not fit.

        It is reserved with the second write: clients wait for the first, and what one write brings is then there.
        """
        path = f"{layout.spool}/{prefix_of(os.getpid())}{secrets.token_hex(12)}"
        writer = cls(layout, path, os.open(path, SPOOL_FLAGS, FILE_MODE), length or 0)
        writer._due = writer._reserved
        try:
            require(writer.fileno(), length or 0)
            if about is not None:
                fcntl.flock(writer.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                writer._journal = Journal.begin(path, about)
        except OSError:
            writer.abort()
            raise
        return writer

    @classmethod
    def resume(cls, layout: Layout, name: str, length: int | None) -> "SpoolWriter | None":
        """Go on with a spool file that has a journal; None if there is none, or another process has it."""
        path = f"{layout.spool}/{name}"
        try:
            descriptor = os.open(path, RESUME_FLAGS)
        except FileNotFoundError:
            return None
        writer = cls(layout, path, descriptor, length or 0)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = os.fstat(descriptor)
            if not found.st_nlink:  # another has ended it since it was opened
                raise BlockingIOError
            writer._journal = Journal.reopen(path)
            reserve(descriptor, length or 0, found.st_blocks * 512)
        except BlockingIOError:
            writer._close()
            return None
        except OSError:
            writer._close()
            raise
        return writer

    @property
    def name(self) -> str | None:
        """The spool file's, if it has a journal."""
        return None if self._journal is None else os.path.basename(self._path)  # noqa: PTH119 - see Layout

    @property
    def is_attended(self) -> bool:
        """Whether another process reads along."""
        return self._journal is not None and is_attended(self._path)

    @property
    def due(self) -> int:
        """All of it, until it is reserved."""
        return self._due

    def fileno(self) -> int:
        """A descriptor for reading and writing; -1 once the writer is ended."""
        return self._descriptor

    def write_at(self, offset: int, buffers: Sequence[bytes]) -> None:
        """Write all buffers, one after the other, at an offset."""
        if self._begun and self._due:
            due, self._due = self._due, 0
            reserve(self._descriptor, due)
        self._begun = True
        write_all(self._descriptor, offset, buffers)
        if self._journal is not None:
            self._journal.wrote(Span(offset, offset + sum(map(len, buffers))))

    def commit(self, sha256: str, *, durable: bool, claim: bool = False) -> None:
        """Give the file its name; as a claim it keeps another one until ``settle``.

        It replaces what has the name: that may be the torn rest of a power loss, or rotten by now, and this was verified. What
        is there may be durable, so whatever takes its place is made durable first.
        """
        size = os.fstat(self._descriptor).st_size
        if self._reserved > size:
            os.ftruncate(self._descriptor, size)  # gives back what was reserved beyond the end
        target = self._layout.blob(sha256)
        if durable:
            os.fdatasync(self._descriptor)
        if claim:
            claimed = claim_path(self._layout, sha256)
            Path(self._path).rename(claimed)
            self._path = claimed
        try:
            replaced = self._name(target, durable=durable, keep=claim)
        except FileNotFoundError:
            self._layout.make_folder(sha256)
            replaced = self._name(target, durable=durable, keep=claim)
        if replaced:
            self._layout.sync_name(sha256)
        self._end_journal(State.COMPLETE)
        self._close()

    def _name(self, target: str, *, durable: bool, keep: bool) -> bool:
        """Take the name; True if that was by a rename, whose folder is then to be synced."""
        replaces = durable
        if not durable:
            try:
                os.link(self._path, target)  # unlike rename, this fails if there is something
            except FileExistsError:
                os.fdatasync(self._descriptor)
                replaces = True
        if replaces:
            self._replace(target, keep=keep)
        elif not keep:
            Path(self._path).unlink()
        return replaces

    def _replace(self, target: str, *, keep: bool) -> None:
        if not keep:
            Path(self._path).rename(target)
            return
        source = Path(f"{self._path}.name")
        os.link(self._path, source)
        try:
            source.rename(target)
        finally:  # else it would be a claim that nobody gives up; a rename to the same file does nothing
            source.unlink(missing_ok=True)

    def settle(self) -> None:
        """Remove the claim; its descriptor is closed already."""
        if self._descriptor < 0:
            with suppress(FileNotFoundError):
                Path(self._path).unlink()

    def abort(self) -> None:
        """Remove the file. After a commit that failed behind the rename, the blob stays: it is whole, but nobody was told so."""
        try:
            with suppress(FileNotFoundError):
                Path(self._path).unlink()
        finally:
            self._end_journal(State.FAILED)
            self._close()

    def keep(self, *, durable: bool) -> bool:
        """Leave the file and its journal; what was reserved beyond the end is given back."""
        if self._journal is None:
            self.abort()
            return False
        os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size)
        if durable:
            os.fdatasync(self._descriptor)
            self._journal.end(State.KEPT)
            sync_folder(self._layout.spool)
        # Readers have duplicates of the descriptor, and with them the lock: nobody could go on before the last of them has left.
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._close()
        return True

    def _end_journal(self, state: State) -> None:
        journal, self._journal = self._journal, None
        if journal is not None:
            with suppress(OSError):  # it only tells others, who see the lock fall as well
                journal.end(state)
            journal.remove()

    def _close(self) -> None:
        if self._journal is not None:
            self._journal.close()
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
