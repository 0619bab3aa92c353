"""A stored blob as something to follow: complete from the start."""

from collections.abc import Callable

from attrs import define

from regproxy.stream.source import BlobReader


@define(eq=False)
class StoredBlob:
    """A ``Readable`` over an open blob, which it closes when its only reader releases it."""

    _reader: BlobReader

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

    def fileno(self) -> int:
        """The blob's descriptor."""
        return self._reader.fileno()

    def reach(self, offset: int, *, early: bool = False) -> int:  # noqa: ARG002 - nothing is withheld
        """To the end."""
        return max(offset, self._reader.size)

    def watch(self, changed: Callable[[], None]) -> None:
        """Nothing will change."""

    def unwatch(self, changed: Callable[[], None]) -> None:
        """Nothing would have."""

    def release(self) -> None:
        """Close it."""
        self._reader.close()
