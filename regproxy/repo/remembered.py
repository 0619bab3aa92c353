"""Small blobs that are asked for again and again, kept in memory: opening its file is much of what a hit of a few KiB costs.

Content has one name for ever, so nothing here can be out of date: whether somebody may still see it is for the index to say, and
that is asked first. What is kept was opened twice lately, lay in the page cache, and was hashed when it was taken: no disk can
spoil it.
"""

import hashlib
from collections import OrderedDict

from attrs import define, field

from regproxy.stream import pages
from regproxy.stream.source import BlobReader

LONGEST = 64 << 10
CAPACITY = 16 << 20
SEEN = 4096


@define(eq=False)
class Remembered:
    """Contents by SHA-256, least recently read first, ``CAPACITY`` bytes altogether."""

    _contents: OrderedDict[str, bytes] = field(factory=OrderedDict, init=False)
    _size: int = field(default=0, init=False)
    _seen: OrderedDict[str, None] = field(factory=OrderedDict, init=False)

    def get(self, sha256: str) -> bytes | None:
        """What is kept under a name."""
        content = self._contents.get(sha256)
        if content is not None:
            self._contents.move_to_end(sha256)
        return content

    def opened(self, sha256: str, reader: BlobReader) -> bool:
        """A blob is read from its file: the second time lately, keep it, if it is small and in the page cache.

        False if its bytes turn out not to be those of its name.
        """
        if reader.size > LONGEST:
            return True
        if sha256 not in self._seen:
            self._seen[sha256] = None
            if len(self._seen) > SEEN:
                self._seen.popitem(last=False)
            return True
        content = pages.read_hot(reader.fileno(), 0, reader.size)
        if content is None:
            return True
        del self._seen[sha256]
        if hashlib.sha256(content).hexdigest() != sha256:
            return False
        self._keep(sha256, content)
        return True

    def _keep(self, sha256: str, content: bytes) -> None:
        self._contents[sha256] = content
        self._size += len(content)
        while self._size > CAPACITY:
            _, dropped = self._contents.popitem(last=False)
            self._size -= len(dropped)
