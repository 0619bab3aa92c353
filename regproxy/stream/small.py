"""A small stored blob whose bytes are in memory, as something to follow."""

import os
from collections.abc import Callable

from attrs import define, field

from regproxy.stream.stored import StoredBlob


@define(eq=False)
class InMemory:
    """A ``BlobReader`` of bytes in memory; whoever asks for a descriptor, for ranges, gets a file that exists nowhere else."""

    _content: bytes
    _descriptor: int = field(default=-1, init=False)

    @property
    def size(self) -> int:
        """Bytes in it."""
        return len(self._content)

    def fileno(self) -> int:
        """Made when it is wanted."""
        if self._descriptor < 0:
            self._descriptor = os.memfd_create("small blob", os.MFD_CLOEXEC)
            os.write(self._descriptor, self._content)
        return self._descriptor

    def close(self) -> None:
        """Let the descriptor go, if there is one."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


@define(eq=False)
class SmallBlob(StoredBlob):
    """A ``Readable`` that can be had as a whole: ``content``."""

    content: bytes

    @classmethod
    def of(cls, content: bytes, doubted: Callable[[], None]) -> "SmallBlob":
        """These bytes."""
        return cls(InMemory(content), doubted, content)
