"""Blobs in anonymous memory files: the twin of ``disk`` for tests and for trying things out.

Readers and writers have real descriptors, so that ``pread`` and ``sendfile`` work on them as they do on a disk.
"""

import errno
import os
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from threading import Lock

from attrs import define, field

from regproxy.model.ranges import Extents, Span
from regproxy.store.interface import NOTHING, BlobStat, Keep, Left, Space
from regproxy.store.layout import is_name
from regproxy.store.reading import OpenBlob
from regproxy.store.writing import write_all
from regproxy.stream.source import BlobReader

CAPACITY = 1 << 34


@define
class _Stored:
    """A committed blob; its descriptor lives as long as it does."""

    descriptor: int
    size: int
    modified: float

    def __del__(self) -> None:
        os.close(self.descriptor)


@define
class MemoryWriter:
    """A ``BlobWriter`` on an anonymous file."""

    _store: "MemoryStore"
    _descriptor: int
    _about: bytes | None = None
    _extents: Extents = field(factory=Extents)
    _lock: Lock = field(factory=Lock, init=False)
    _claim: "MemoryClaim | None" = field(default=None, init=False)

    @property
    def name(self) -> None:
        """No other process has part in it."""

    @property
    def is_attended(self) -> bool:
        """No other process has part in it."""
        return False

    @property
    def due(self) -> int:
        """None: all of it was set aside at once."""
        return 0

    def fileno(self) -> int:
        """A descriptor for reading and writing; -1 once the writer is ended."""
        return self._descriptor

    def write_at(self, offset: int, buffers: Sequence[bytes]) -> None:
        """Write all buffers; ENOSPC where they end beyond both what the writer has and what is free."""
        end = offset + sum(map(len, buffers))
        self._store.take(self._descriptor, end)
        write_all(self._descriptor, offset, buffers)
        with self._lock:  # several extents may be written at a time
            self._extents.add(Span(offset, end))

    def commit(self, sha256: str, *, durable: bool, claim: bool = False) -> None:  # noqa: ARG002 - memory is
        """Make it visible, by the rule of ``SpoolWriter.commit``."""
        self._claim = self._store.accept(sha256, self._descriptor, claim=claim)
        self._close()

    def settle(self) -> None:
        """Give up the claim."""
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.release()

    def keep(self, *, durable: bool) -> bool:
        """Leave it to ``MemoryStore.resume``."""
        about = self._about
        if about is not None:
            self._store.leave(about, self._descriptor, self._extents, clean=durable)
        self._close()
        return about is not None

    def abort(self) -> None:
        """Forget it."""
        self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            self._store.give_back(descriptor)
            os.close(descriptor)


@define
class MemoryClaim:
    """A ``Claim`` in memory."""

    _claims: Counter[str]
    _sha256: str

    def release(self) -> None:
        """Count one less."""
        self._claims[self._sha256] -= 1


@define
class MemoryAside:
    """An ``Aside`` in memory."""

    _blobs: dict[str, _Stored]
    _sha256: str
    _blob: _Stored
    _asides: Counter[str]

    def restore(self) -> None:
        """Put it back."""
        self._blobs.setdefault(self._sha256, self._blob)
        self.drop()

    def drop(self) -> None:
        """Forget it."""
        self._asides[self._sha256] -= 1


@define
class MemoryStore:
    """A ``BlobStore`` of at most ``capacity`` bytes, those that are being written or were left among them.

    Attributes:
        clock: seconds since the epoch, for ``BlobStat.modified``.
    """

    capacity: int = CAPACITY
    clock: Callable[[], float] = time.time
    _blobs: dict[str, _Stored] = field(init=False, factory=dict)
    _quarantined: dict[str, _Stored] = field(init=False, factory=dict)
    _claims: Counter[str] = field(init=False, factory=Counter)
    _asides: Counter[str] = field(init=False, factory=Counter)
    _left: dict[str, tuple[Left, _Stored]] = field(init=False, factory=dict)
    _taken: dict[int, int] = field(init=False, factory=dict)  # by the descriptors of writers
    _lock: Lock = field(init=False, factory=Lock)

    def open(self, sha256: str) -> OpenBlob | None:
        """Open for reading; ``ValueError`` for what is no name."""
        _checked(sha256)
        with self._lock:
            found = self._blobs.get(sha256)
            return OpenBlob(os.dup(found.descriptor), found.size) if found else None

    def create(self, length: int | None, about: bytes | None = None) -> MemoryWriter:
        """Begin a blob."""
        descriptor = os.memfd_create("regproxy")
        try:
            self.take(descriptor, length or 0)
        except OSError:
            os.close(descriptor)
            raise
        return MemoryWriter(self, descriptor, about)

    def take(self, descriptor: int, end: int) -> None:
        """Let a writer have so much, if that is not more than it has already."""
        with self._lock:
            self._taken[descriptor] = self._granted(self._taken.get(descriptor, 0), end)

    def _granted(self, has: int, end: int) -> int:
        if end - has > self._free():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return max(has, end)

    def give_back(self, descriptor: int) -> None:
        """A writer has ended."""
        with self._lock:
            del self._taken[descriptor]

    def leave(self, about: bytes, descriptor: int, extents: Extents, *, clean: bool) -> None:
        """Keep what a writer has written so far."""
        name, size = secrets.token_hex(16), os.fstat(descriptor).st_size
        left = Left(name, about, tuple(extents), clean, size, self.clock())
        with self._lock:
            self._left[name] = (left, _Stored(os.dup(descriptor), size, left.modified))

    def left(self) -> list[Left]:
        """Everything that was kept and not gone on with."""
        with self._lock:
            return [left for left, _ in self._left.values()]

    def resume(self, name: str, length: int | None) -> MemoryWriter | None:
        """Go on with one."""
        with self._lock:
            if name not in self._left:
                return None
            left, stored = self._left[name]
            granted = self._granted(left.used, length or 0)
            descriptor = os.dup(stored.descriptor)
            self._taken[descriptor] = granted
            del self._left[name]
        extents = Extents()
        for span in left.extents:
            extents.add(span)
        return MemoryWriter(self, descriptor, left.about, extents)

    def attend(self, name: str) -> None:
        """No other process has part in it."""

    def accept(self, sha256: str, descriptor: int, *, claim: bool = False) -> MemoryClaim | None:
        """Take over what a writer has written."""
        size = os.fstat(descriptor).st_size
        with self._lock:
            self._blobs[_checked(sha256)] = _Stored(os.dup(descriptor), size, self.clock())
            return self._claimed(sha256) if claim else None

    def claim(self, sha256: str) -> MemoryClaim | None:
        """Count one more."""
        with self._lock:
            return self._claimed(sha256) if _checked(sha256) in self._blobs else None

    def _claimed(self, sha256: str) -> MemoryClaim:
        self._claims[sha256] += 1
        return MemoryClaim(self._claims, sha256)

    def delete(self, sha256: str) -> bool:
        """Remove it."""
        aside = self.set_aside(sha256)
        if aside is not None:
            aside.drop()
        return aside is not None

    def set_aside(self, sha256: str) -> MemoryAside | None:
        """Take it out."""
        with self._lock:
            found = None if self._claims[_checked(sha256)] else self._blobs.pop(sha256, None)
            if found is None:
                return None
            self._asides[sha256] += 1
            return MemoryAside(self._blobs, sha256, found, self._asides)

    def is_claimed(self, sha256: str) -> bool:
        """Ask the count."""
        return self._claims[sha256] > 0

    def is_aside(self, sha256: str) -> bool:
        """Whether it was taken out and is not decided."""
        return self._asides[sha256] > 0

    def quarantine(self, sha256: str, seen: BlobReader | None = None) -> bool:
        """Put it aside."""
        with self._lock:
            found = self._blobs.get(_checked(sha256))
            if found is None or (seen is not None and not os.path.sameopenfile(found.descriptor, seen.fileno())):
                return False
            self._quarantined[sha256] = self._blobs.pop(sha256)
            return True

    def sync(self, sha256: str) -> None:
        """Do nothing but check that it is there: memory is as durable as it gets."""
        with self._lock:
            if _checked(sha256) not in self._blobs:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def each(self) -> Iterator[BlobStat]:
        """Every blob, as they are now."""
        with self._lock:
            return iter([BlobStat(name, blob.size, blob.modified) for name, blob in self._blobs.items()])

    def unfinished(self) -> Sequence[str]:
        """None: what is being written has no name here."""
        return []

    def recover(self, keep: Keep = NOTHING) -> int:
        """Forget what was kept and is not to be."""
        kept = {left.name for left in keep.choose(self.left())}
        with self._lock:
            gone = [name for name in self._left if name not in kept]
            return sum(self._left.pop(name)[0].used for name in gone)

    def space(self) -> Space:
        """Say what is left of the capacity."""
        with self._lock:
            return Space(self.capacity, max(0, self._free()))

    def _free(self) -> int:
        blobs = (*self._blobs.values(), *self._quarantined.values(), *(stored for _, stored in self._left.values()))
        return self.capacity - sum(blob.size for blob in blobs) - sum(self._taken.values())


def _checked(sha256: str) -> str:
    if not is_name(sha256):
        raise ValueError("not a sha256 name")
    return sha256
