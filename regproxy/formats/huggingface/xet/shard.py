"""Shards: which chunks of which xorbs a file is made of. A body of records of 48 bytes, read one by one as they come. Pure.

What the second half says, of the chunks of xorbs, is not needed: xorbs say it themselves. ``ValueError`` for what is no shard.
"""

import struct
from collections.abc import Generator, Sequence

from attrs import define, field, frozen

from regproxy.formats.huggingface.xet.hashes import SIZE, to_text

RECORD = 48
MOST_FILES = 20_000
MOST_TERMS = 500_000
_MAGIC = b"HFRepoMetaData\0"
_VERSION = 2
_BOOKEND = b"\xff" * SIZE
_VERIFIED, _DIGESTED = 1 << 31, 1 << 30
_NUMBERS = struct.Struct("<IIII")


@frozen
class Term:
    """A run of chunks of a xorb, ``stop`` not included, and how many bytes they have."""

    xorb: str
    start: int
    stop: int
    size: int


@frozen
class File:
    """One file."""

    sha256: str
    terms: Sequence[Term]

    @property
    def size(self) -> int:
        """Its bytes."""
        return sum(term.size for term in self.terms)


@define(eq=False)
class ShardReader:
    """Takes a shard in pieces of any size; ``files`` are complete when ``end`` has returned."""

    files: list[File] = field(factory=list, init=False)
    _left: bytes = field(default=b"", init=False)
    _is_over: bool = field(default=False, init=False)
    _terms: int = field(default=0, init=False)
    _records: Generator[None, bytes, None] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._records = self._read()
        next(self._records)

    def feed(self, data: bytes) -> None:
        """Take more of it."""
        if self._is_over:
            return
        data = self._left + data
        at = 0
        while at + RECORD <= len(data) and not self._is_over:
            try:
                self._records.send(data[at : at + RECORD])
            except StopIteration:
                self._is_over = True
            at += RECORD
        self._left = data[at:]

    def end(self) -> Sequence[File]:
        """There is no more of it."""
        if not self._is_over:
            raise ValueError("it is cut")
        return self.files

    def _read(self) -> Generator[None, bytes, None]:
        header = yield
        version = int.from_bytes(header[SIZE : SIZE + 8], "little")
        if not header.startswith(_MAGIC) or version != _VERSION:
            raise ValueError("it is none, or of another version")
        while True:
            head = yield
            if head[:SIZE] == _BOOKEND:
                return
            yield from self._file(head)

    def _file(self, head: bytes) -> Generator[None, bytes, None]:
        flags, count, *_ = _NUMBERS.unpack_from(head, SIZE)
        self._terms += count
        if self._terms > MOST_TERMS or len(self.files) >= MOST_FILES:
            raise ValueError("it has too many files, or too many parts of files")
        terms = []
        for _ in range(count):
            record = yield
            _, size, start, stop = _NUMBERS.unpack_from(record, SIZE)
            if start >= stop:
                raise ValueError("a part of a file has no chunks")
            terms.append(Term(to_text(record[:SIZE]), start, stop, size))
        for _ in range(count if flags & _VERIFIED else 0):
            yield
        if not flags & _DIGESTED:
            raise ValueError("it does not say the SHA-256 of a file")
        digest = yield
        self.files.append(File(to_text(digest[:SIZE]), terms))
