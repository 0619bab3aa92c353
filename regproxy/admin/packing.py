"""Archives as streams: each step returns the bytes that are to be sent by then, and nothing is kept but a zip's directory.

Nothing is compressed but a ``tar.gz``: what repositories hold is compressed already. In a zip it is "deflated" at level 0, for
whoever reads a zip from a stream finds the end of such a file. ``add`` takes the processor: it is called in a thread.
"""

import io
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from typing import IO, Protocol

from attrs import define, field

GZIP = 31
"""The window's size, and a gzip header."""
FAST = 1

_FIRST, _LAST = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)
_BLOCK = tarfile.BLOCKSIZE


class Packer(Protocol):
    """Writes one archive."""

    def begin(self, name: str, size: int, modified: float) -> bytes:
        """Begin a file, of exactly so many bytes."""

    def add(self, data: bytes) -> bytes:
        """More of it."""

    def end(self) -> bytes:
        """That was all of it."""

    def close(self) -> bytes:
        """There are no more files."""

    def drop(self) -> None:
        """Let go of one that nobody wants any more."""


class _Sink(io.RawIOBase):
    """Takes what ``zipfile`` writes; it cannot seek."""

    def __init__(self) -> None:
        super().__init__()
        self._written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override] # any buffer
        self._written.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """What was written since the last time."""
        written, self._written = self._written, []
        return b"".join(written)


@define(eq=False)
class _Zip:
    """A zip, of any size."""

    _sink: _Sink = field(factory=_Sink, init=False)
    _archive: zipfile.ZipFile = field(init=False)
    _file: IO[bytes] | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._archive = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED)

    def begin(self, name: str, size: int, modified: float) -> bytes:
        info = zipfile.ZipInfo(name, min(max(time.gmtime(min(modified, 1e11))[:6], _FIRST), _LAST))
        info.compress_type = zipfile.ZIP_DEFLATED
        info._compresslevel = 0  # type: ignore[attr-defined] # noqa: SLF001 - there is no other way to say it; tests/admin/test_packing.py
        info.external_attr = 0o644 << 16
        info.file_size = size
        self._file = self._archive.open(info, "w", force_zip64=size >= 1 << 31)
        return self._sink.take()

    def add(self, data: bytes) -> bytes:
        assert self._file is not None
        self._file.write(data)
        return self._sink.take()

    def end(self) -> bytes:
        assert self._file is not None
        self._file.close()
        self._file = None
        return self._sink.take()

    def close(self) -> bytes:
        self._archive.close()
        return self._sink.take()

    def drop(self) -> None:
        if self._file is not None:
            self._file.close()
        self._archive.close()


@define(eq=False)
class _Tar:
    """A tar, with extended headers where names or sizes need them."""

    _size: int = field(default=0, init=False)
    _length: int = field(default=0, init=False)

    def begin(self, name: str, size: int, modified: float) -> bytes:
        info = tarfile.TarInfo(name)
        info.size, info.mtime = size, int(modified)
        self._size = size
        return self._out(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))

    def add(self, data: bytes) -> bytes:
        return self._out(data)

    def end(self) -> bytes:
        return self._out(bytes(-self._size % _BLOCK))

    def close(self) -> bytes:
        ending = 2 * _BLOCK
        return self._out(bytes(ending + -(self._length + ending) % tarfile.RECORDSIZE))

    def drop(self) -> None:
        """There is nothing to let go of."""

    def _out(self, data: bytes) -> bytes:
        self._length += len(data)
        return data


@define(eq=False)
class _TarGz:
    """A tar, compressed."""

    _tar: _Tar = field(factory=_Tar, init=False)
    _gzip: "zlib._Compress" = field(factory=lambda: zlib.compressobj(FAST, zlib.DEFLATED, GZIP), init=False)

    def begin(self, name: str, size: int, modified: float) -> bytes:
        return self._gzip.compress(self._tar.begin(name, size, modified))

    def add(self, data: bytes) -> bytes:
        return self._gzip.compress(self._tar.add(data))

    def end(self) -> bytes:
        return self._gzip.compress(self._tar.end())

    def close(self) -> bytes:
        return self._gzip.compress(self._tar.close()) + self._gzip.flush()

    def drop(self) -> None:
        """As above."""


_KINDS: dict[str, tuple[Callable[[], Packer], str]] = {
    "zip": (_Zip, "application/zip"),
    "tar": (_Tar, "application/x-tar"),
    "tar.gz": (_TarGz, "application/gzip"),
    "tgz": (_TarGz, "application/gzip"),
}
TYPES = tuple(_KINDS)


def packer_for(kind: str) -> Packer:
    """One of ``TYPES``."""
    return _KINDS[kind][0]()


def media_type_for(kind: str) -> str:
    """What it is sent as."""
    return _KINDS[kind][1]
