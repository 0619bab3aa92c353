"""What a store of blobs is. ``tests/conformance/store.py`` is what it means; every store passes it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from attrs import frozen

from regproxy.model.ranges import Span
from regproxy.stream.source import BlobReader, BlobWriter


@frozen
class BlobStat:
    """One stored blob: its name, its size, and when its file was last changed (seconds since the epoch)."""

    sha256: str
    size: int
    modified: float


@frozen
class Space:
    """Bytes of the file system that holds the store."""

    total: int
    free: int


class Claim(Protocol):
    """Keeps a blob from being deleted while its row is written."""

    def release(self) -> None:
        """Let it go, once. Blocks."""


@frozen
class Left:
    """A blob that was begun and is to be continued.

    Attributes:
        name: what ``resume`` is called with.
        about: what ``create`` was given.
        extents: the bytes that were written; certain only if it is ``clean``.
        used: bytes on the disk.
        modified: when it last grew, in seconds since the epoch.
    """

    name: str
    about: bytes
    extents: tuple[Span, ...]
    clean: bool
    used: int
    modified: float


@frozen
class Growth:
    """What has become of a blob that another process writes: further bytes, or its end."""

    extents: tuple[Span, ...]
    complete: bool
    failed: bool


class Attending(Protocol):
    """A blob that another process is writing. ``close`` it, once."""

    @property
    def about(self) -> bytes:
        """What ``create`` was given there."""

    def fileno(self) -> int:
        """A descriptor for ``pread`` and ``sendfile``."""

    def journal(self) -> int:
        """A descriptor that is written to whenever ``read`` has something new."""

    def read(self) -> Growth:
        """What is new since the last time. Fast."""

    def close(self) -> None:
        """Let it go."""


@frozen
class Keep:
    """What ``recover`` may keep of blobs that were begun: the newest, at most ``used`` bytes, none older than ``since``."""

    since: float = float("inf")
    used: int = 0

    def choose(self, candidates: Iterable[Left]) -> list[Left]:
        """Those that are kept."""
        chosen, used = [], 0
        for each in sorted(candidates, key=lambda left: left.modified, reverse=True):
            if each.modified >= self.since and used + each.used <= self.used:
                used += each.used
                chosen.append(each)
        return chosen


NOTHING = Keep()


class Aside(Protocol):
    """A blob that is out of sight, and is either put back or removed, once. Both block."""

    def restore(self) -> None:
        """Put it back, unless it is there again."""

    def drop(self) -> None:
        """Remove it."""


class BlobStore(Protocol):
    """Blobs by the hexadecimal SHA-256 of their bytes."""

    def open(self, sha256: str) -> BlobReader | None:
        """Open for reading; None if it is not there. Fast enough for the reactor: one open, one fstat."""

    def create(self, length: int | None, about: bytes | None = None) -> BlobWriter:
        """Begin a blob. Blocks. ``length``, if known, must be free; ``OSError`` (ENOSPC) if it is not.

        It is reserved by the second ``write_at`` at the latest, which then may say the same.

        With ``about``, what it is, it can be continued after a crash, and by ``keep``.
        """

    def left(self) -> list[Left]:
        """What was begun, has not ended, and is written by nobody now. Blocks."""

    def resume(self, name: str, length: int | None) -> BlobWriter | None:
        """Go on with one of these, reserving as ``create`` does. Blocks. None if it is gone, or somebody else goes on with it."""

    def attend(self, name: str) -> Attending | None:
        """Read along with whoever writes one of these, in another process; None if it has gone. Fast."""

    def claim(self, sha256: str) -> Claim | None:
        """Keep a blob that is there from being deleted until the claim is released; None if it is not there. Blocks."""

    def is_claimed(self, sha256: str) -> bool:
        """Whether somebody, of whatever process, claims it just now. Blocks."""

    def set_aside(self, sha256: str) -> Aside | None:
        """Take a blob out of sight, to look once more whether it is needed. Blocks. None if it is not there, or is claimed.

        Whoever removes a blob because it has no row looks for the row behind this: what is registered meanwhile is claimed, and
        what was registered before has its row.
        """

    def is_aside(self, sha256: str) -> bool:
        """Whether somebody, of whatever process, has set it aside and not decided yet: it may come back. Blocks."""

    def delete(self, sha256: str) -> bool:
        """Remove it; readers that have it open go on. Blocks. False if it was not there, or is claimed: then it stays."""

    def quarantine(self, sha256: str, seen: BlobReader | None = None) -> bool:
        """Take a blob that does not match its name out of sight, but keep its bytes for inspection. Blocks.

        What was read for that is ``seen``: False, too, if another has its name by now.
        """

    def sync(self, sha256: str) -> None:
        """Make a blob that was committed without ``durable`` survive a power loss. Blocks. ``OSError`` if it is gone."""

    def each(self) -> Iterator[BlobStat]:
        """Every blob, in no order. Blocks between steps; what is added or deleted meanwhile may or may not be seen."""

    def unfinished(self) -> Sequence[str]:
        """What is in the spool now, by names of its own: one for each blob that is being written or was left to be gone on with,
        if nothing else was left behind.
        """

    def recover(self, keep: Keep = NOTHING) -> int:
        """At the start, before anything else: remove what a crash left behind and is not to be kept. Blocks. Returns the bytes
        reclaimed.
        """

    def space(self) -> Space:
        """Look at the file system. Fast."""
