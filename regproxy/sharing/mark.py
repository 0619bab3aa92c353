"""The mark of a flight: a small file for each path that some process is filling, and the lock that says which one does.

Rules:

1. Whoever holds the ``flock`` is the filler; it falls when he ends, however that is. Others keep the file open and read it.
2. Lines are appended, and mean what they say to whoever reads them, however late: ``spool NAME`` (the body lies there),
   ``end JSON`` (what came of it), ``apart`` (it cannot be shared: everybody for himself).
3. With the last line the file loses its name, under the lock: who gets the lock of a file without a name reads on, and has his
   answer. A file that was closed without a last line is to be taken over.
"""

import fcntl
import hashlib
import os
from pathlib import Path
from typing import Self

from attrs import define, field

SPOOL = b"spool"
END = b"end"
APART = b"apart"

# More than any line that we write; headers are bounded where they come in.
LONGEST = 1 << 20

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


def name_of(key: tuple[str, str]) -> str:
    """The file of a key; paths may be longer than names of files."""
    return hashlib.sha256("\0".join(key).encode("utf-8", "surrogatepass")).hexdigest()


@define(eq=False)
class Mark:
    """One process's view of a mark."""

    _path: Path
    _descriptor: int
    _position: int = field(default=0, init=False)

    @classmethod
    def open(cls, folder: Path, key: tuple[str, str]) -> Self:
        """Open it, made if nobody has it."""
        path = folder / name_of(key)
        return cls(path, os.open(path, _FLAGS, 0o600))

    def fileno(self) -> int:
        """The descriptor, to be watched."""
        return self._descriptor

    def take(self) -> bool:
        """Become the filler, if nobody is."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    @property
    def is_over(self) -> bool:
        """Whether the last line has been written: it has no name any more."""
        return os.fstat(self._descriptor).st_nlink == 0

    def read(self) -> list[tuple[bytes, bytes]]:
        """The lines that were not read yet, as (word, rest)."""
        data = os.pread(self._descriptor, LONGEST, self._position)
        whole = data[: data.rfind(b"\n") + 1]
        self._position += len(whole)
        parts = (line.partition(b" ") for line in whole.splitlines())
        return [(word, rest) for word, _, rest in parts]

    def write(self, word: bytes, rest: bytes = b"") -> None:
        """Append a line; for the filler."""
        os.write(self._descriptor, b"%s %s\n" % (word, rest))

    def end(self, word: bytes, rest: bytes = b"") -> None:
        """Write the last line, unless it is there, and give the lock up; for the filler."""
        if not self.is_over:  # else the name is that of another mark by now
            self.write(word, rest)
            self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Leave it to whoever else has it open."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
