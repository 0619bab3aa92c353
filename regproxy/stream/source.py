"""The seams of the data plane: where bytes come from, where they are written, what a follower reads.

Stores implement ``BlobWriter`` and ``BlobReader``, upstreams implement ``Source``; nothing here does I/O.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer

from regproxy.model.ranges import Span


class Consumer(Protocol):
    """Takes a body as it arrives; it answers with back-pressure on the producer that it was given."""

    def start(self, producer: IPushProducer) -> None:
        """Called once, before the first byte; ``producer`` obeys pauseProducing, resumeProducing and stopProducing."""

    def write(self, data: bytes) -> None:
        """Take more bytes; a chunk may still come after a pause."""


class Source(Protocol):
    """A body that has not been read yet. Exactly one of ``deliver`` and ``abort`` is called, once."""

    @property
    def length(self) -> int | None:
        """Bytes to come, if the framing promises a number."""

    def deliver(self, consumer: Consumer) -> Deferred[None]:
        """Send everything to the consumer.

        Returns:
            Fires after the last byte of a body that is complete by its framing. Fails with ``RegproxyError`` (UPSTREAM_DOWN: cut;
            UPSTREAM_BAD: framing that cannot prove completeness) otherwise. Cancelling it aborts the connection.
        """

    def abort(self) -> None:
        """Drop the body unread, and its connection with it."""


class BlobReader(Protocol):
    """An open blob. Deleting the blob does not cut its readers; whoever opened it closes it, once."""

    @property
    def size(self) -> int:
        """Bytes in it."""

    def fileno(self) -> int:
        """A descriptor for ``pread`` and ``sendfile``; its file position means nothing."""

    def close(self) -> None:
        """Let it go."""


class BlobWriter(Protocol):
    """A blob that is being written, invisible to readers of the store until it is committed.

    All methods but ``fileno`` block: they are called on the writer pool. Writes of several extents may overlap in time. Exactly
    one of ``commit``, ``keep`` and ``abort`` ends it; after one that failed, ``abort`` is still to be called; ``settle``
    comes last. I/O failures are ``OSError``.
    """

    @property
    def name(self) -> str | None:
        """What ``resume`` and ``attend`` of the store are called with; None if ``create`` got no ``about``."""

    @property
    def is_attended(self) -> bool:
        """Whether another process reads along."""

    @property
    def due(self) -> int:
        """Bytes that are still to be set aside for it: what is free has them too. In any thread."""

    def fileno(self) -> int:
        """A descriptor that followers may read what has been written from; open until the writer is ended."""

    def write_at(self, offset: int, buffers: Sequence[bytes]) -> None:
        """Write all buffers, one after the other, at an offset; short writes are continued."""

    def commit(self, sha256: str, *, durable: bool, claim: bool = False) -> None:
        """Make it visible under its name, as one step; the caller has verified that this is the name.

        With ``durable`` it survives a power loss when this returns. Committing a blob that exists already is no error. With
        ``claim`` nobody can delete it before ``settle``: its row is written meanwhile.
        """

    def settle(self) -> None:
        """Give up the claim, if there is one; nothing otherwise."""

    def keep(self, *, durable: bool) -> bool:
        """Leave what was written for later: the store lists it as ``left``. False, and removed, if ``create`` got no ``about``.

        With ``durable`` it is ``clean``: every extent is as it was written, even after a power loss.
        """

    def abort(self) -> None:
        """Remove what was written."""


class Readable(Protocol):
    """What a follower reads: a stored blob, or one that is still growing."""

    @property
    def size(self) -> int | None:
        """Bytes in the whole; None until it is known."""

    @property
    def complete(self) -> bool:
        """No byte will come any more."""

    @property
    def failed(self) -> BaseException | None:
        """Why it will never be complete, once that is so."""

    def fileno(self, offset: int = 0) -> int:
        """A descriptor for ``pread`` and ``sendfile`` at an offset, as far as ``reach`` says."""

    def reach(self, offset: int, *, early: bool = False) -> int:
        """How far a follower may read from ``offset`` now; ``offset`` itself if it has to wait.

        Less than what exists while the tail is not verified. ``early`` readers, of small closed ranges, see all that exists.
        """

    def passed(self, offset: int) -> bool:
        """Whether the byte at ``offset`` will never be seen here, because the body is not kept: the reader makes a ``detour``."""

    def detour(self, offset: int) -> "Deferred[Readable]":
        """Get the rest from ``offset`` on from elsewhere; the reader releases what it gets, and calls ``returned`` here."""

    def returned(self) -> None:
        """A reader that made a detour has ended."""

    def watch(self, changed: Callable[[], None], wanted: Span | None = None, *, early: bool = False) -> None:
        """Call ``changed`` whenever ``reach``, ``size``, ``complete`` or ``failed`` may have changed; it reads ``wanted``."""

    def unwatch(self, changed: Callable[[], None]) -> None:
        """Stop that."""

    def doubt(self) -> None:
        """Bytes that should be there could not be read: whoever keeps the blob should look at it."""

    def release(self) -> None:
        """One reader has finished; the descriptor is closed with the last one."""
