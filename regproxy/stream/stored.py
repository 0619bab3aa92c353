"""A stored blob as something to follow: complete from the start."""

from collections.abc import Callable

from attrs import define
from twisted.internet.defer import Deferred

from regproxy.model.ranges import Span
from regproxy.stream.source import BlobReader, Readable


@define(eq=False)
class StoredBlob:
    """A ``Readable`` over an open blob, which it closes when its only reader releases it; ``doubted`` hears of its doubts."""

    _reader: BlobReader
    _doubted: Callable[[], None]

    @property
    def size(self) -> int:
        """Bytes in it."""
        return self._reader.size

    @property
    def complete(self) -> bool:
        """It is."""
        return True

    @property
    def failed(self) -> BaseException | None:
        """It has not."""
        return None

    def fileno(self, offset: int = 0) -> int:  # noqa: ARG002 - one file has all of it
        """The blob's descriptor."""
        return self._reader.fileno()

    def reach(self, offset: int, *, early: bool = False) -> int:  # noqa: ARG002 - nothing is withheld
        """To the end."""
        return max(offset, self._reader.size)

    def passed(self, offset: int) -> bool:  # noqa: ARG002 - all of it is here
        """Never."""
        return False

    def detour(self, offset: int) -> "Deferred[Readable]":
        """Nobody needs one."""
        raise NotImplementedError

    def returned(self) -> None:
        """Nobody was away."""

    def watch(self, changed: Callable[[], None], wanted: Span | None = None, *, early: bool = False) -> None:
        """Nothing will change."""

    def unwatch(self, changed: Callable[[], None]) -> None:
        """Nothing would have."""

    def doubt(self) -> None:
        """Pass it on."""
        self._doubted()

    def release(self) -> None:
        """Close it."""
        self._reader.close()
