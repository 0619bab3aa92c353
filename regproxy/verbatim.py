"""Reads a blob for who keeps it elsewhere, and compares it with its name meanwhile."""

import hashlib
import os
from collections.abc import Iterator

from regproxy.errors import is_used_up
from regproxy.index.snapshot import Held
from regproxy.upkeep.report import Trouble

PIECE = 1 << 20


class SpoiltError(Exception):
    """It is not what its name says, cannot be read, or is not there."""

    def __init__(self, trouble: Trouble, detail: str) -> None:
        super().__init__(detail)
        self.trouble = trouble
        self.detail = detail

    @classmethod
    def of(cls, error: OSError) -> "SpoiltError":
        """What the file system says of a file; raises ``error`` if it says nothing of the file."""
        if is_used_up(error):
            raise error
        if isinstance(error, FileNotFoundError):
            return cls(Trouble.MISSING, "no such file")
        return cls(Trouble.DAMAGED, error.strerror or str(error))


def pieces(descriptor: int, blob: Held) -> Iterator[bytes]:
    """All of it. ``SpoiltError`` comes at the end at the latest: what came before is worth nothing then."""
    size = os.fstat(descriptor).st_size
    if size != blob.size:
        raise SpoiltError(Trouble.SIZE, f"{size} bytes, its row says {blob.size}")
    running, offset = hashlib.sha256(), 0
    while data := _read(descriptor, offset):
        running.update(data)
        offset += len(data)
        yield data
    if running.hexdigest() != blob.sha256:
        raise SpoiltError(Trouble.DAMAGED, f"hashes to {running.hexdigest()}")


def examine(descriptor: int, blob: Held) -> None:
    """Only compare it."""
    for _ in pieces(descriptor, blob):
        pass


def _read(descriptor: int, offset: int) -> bytes:
    try:
        return os.pread(descriptor, PIECE, offset)
    except OSError as error:
        raise SpoiltError.of(error) from error
