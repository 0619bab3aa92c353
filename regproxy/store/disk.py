"""Blobs in files of one folder of this machine.

Every file is opened without following links and is used only if it is a regular one. Readers hold descriptors, so that
neither ``delete`` nor ``quarantine`` cuts them. Processes may share a store, as far as reading, writing and deleting go;
``recover`` is for the one that starts first.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import define, field

from regproxy.store import claims
from regproxy.store.attending import Attending
from regproxy.store.claims import DiskAside, DiskClaim
from regproxy.store.interface import NOTHING, BlobStat, Keep, Left, Space
from regproxy.store.layout import READ_FLAGS, Layout, is_name
from regproxy.store.leftovers import leftovers, sweep, sweep_of
from regproxy.store.reading import OpenBlob
from regproxy.store.spool import SpoolWriter, prefix_of
from regproxy.stream.source import BlobReader


@define
class DiskStore:
    """A ``BlobStore`` below ``root``, whose folders are made when it is made."""

    root: Path
    _layout: Layout = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._layout = Layout(self.root)
        self._layout.make()

    def open(self, sha256: str) -> OpenBlob | None:
        """Open for reading; ``OSError`` for what is no regular file, ``ValueError`` for what is no name."""
        try:
            descriptor = os.open(self._layout.blob(sha256), READ_FLAGS)
        except FileNotFoundError:
            return None
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "a blob that is no regular file")
        return OpenBlob(descriptor, found.st_size)

    def create(self, length: int | None, about: bytes | None = None) -> SpoolWriter:
        """Begin a spool file."""
        return SpoolWriter.create(self._layout, length, about)

    def left(self) -> list[Left]:
        """Look at every spool file that has a journal."""
        return list(leftovers(self._layout.spool))

    def resume(self, name: str, length: int | None) -> SpoolWriter | None:
        """Go on with a spool file."""
        return SpoolWriter.resume(self._layout, name, length)

    def claim(self, sha256: str) -> DiskClaim | None:
        """Give it a second name."""
        return claims.claim(self._layout, sha256)

    def is_claimed(self, sha256: str) -> bool:
        """Look for such a name."""
        return claims.is_claimed(self._layout, sha256)

    def attend(self, name: str) -> Attending | None:
        """Open spool file and journal for reading."""
        return Attending.open(f"{self._layout.spool}/{name}")

    def path(self, sha256: str) -> str:
        """Where a blob lies, for those who copy it; claim it first."""
        return self._layout.blob(sha256)

    def delete(self, sha256: str) -> bool:
        """Remove the file. A power loss may bring it back: an orphan, or what the index says it is."""
        aside = self.set_aside(sha256)
        if aside is not None:
            aside.drop()
        return aside is not None

    def set_aside(self, sha256: str) -> DiskAside | None:
        """Rename it."""
        return claims.set_aside(self._layout, sha256)

    def is_aside(self, sha256: str) -> bool:
        """Look for the name that it has meanwhile."""
        return claims.is_aside(self._layout, sha256)

    def quarantine(self, sha256: str, seen: BlobReader | None = None) -> bool:
        """Move the file to ``quarantine/``, where the newest of each name is kept."""
        path = self._layout.blob(sha256)
        try:
            if seen is not None and not os.path.samestat(os.lstat(path), os.fstat(seen.fileno())):
                return False
            os.replace(path, f"{self._layout.quarantine}/{sha256}")  # noqa: PTH105 - paths are strings here
        except FileNotFoundError:
            return False
        return True

    def sync(self, sha256: str) -> None:
        """Make data and name durable; ``FileNotFoundError`` if it is gone."""
        blob = self.open(sha256)
        if blob is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        try:
            os.fdatasync(blob.fileno())
        finally:
            blob.close()
        self._layout.sync_name(sha256)

    def each(self) -> Iterator[BlobStat]:
        """Every regular file whose name is one, folder by folder: what else lies there is left alone."""
        for folder in sorted(os.listdir(self._layout.blobs)):  # noqa: PTH208 - as above
            yield from _listing(f"{self._layout.blobs}/{folder}")

    def unfinished(self) -> Sequence[str]:
        """The names of all files in the spool; a journal goes with its file."""
        with os.scandir(self._layout.spool) as entries:
            names = {entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)}
        return sorted(name for name in names if name.partition(".")[0] == name or name.partition(".")[0] not in names)

    def recover(self, keep: Keep = NOTHING) -> int:
        """Remove every claim, and every spool file but those to keep; put back what was on its way out."""
        claims.put_back(self._layout)
        kept = {left.name for left in keep.choose(self.left())}
        return sweep(self._layout.spool, kept) + sweep(self._layout.moving, ())

    def let_go(self, process: int) -> None:
        """A process that shared this store has ended, however it did: put back and release what it had, and remove what it was
        writing, but for what can be continued. Blocks.
        """
        try:
            sweep_of(self._layout.spool, prefix_of(process))
        finally:
            claims.let_go(self._layout, process)

    def space(self) -> Space:
        """Ask the file system; ``free`` is what an ordinary user may still take."""
        found = os.statvfs(self._layout.spool)
        return Space(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)


def _listing(folder: str) -> list[BlobStat]:
    blobs = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not is_name(entry.name):
                continue
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # deleted since it was listed
            if stat.S_ISREG(found.st_mode):
                blobs.append(BlobStat(entry.name, found.st_size, found.st_mtime))
    return blobs
