"""The artifacts: files of incompressible bytes at the addresses of registry blobs, and their checks."""

import ctypes
import hashlib
import mmap
import os
from pathlib import Path

from attrs import frozen

_LIBC = ctypes.CDLL(None)
_PIECE = 1 << 20


@frozen
class Blob:
    """One artifact of the origin; ``path`` is its address at every peer."""

    file: Path
    path: str
    size: int

    @property
    def sha256(self) -> str:
        """Its digest, in hexadecimal."""
        return self.file.name.partition(":")[2]


def make_blob(root: Path, size: int) -> Blob:
    """Write a new blob below an origin's root: each is a cold miss once, for one peer."""
    running = hashlib.sha256()
    folder = root / "v2" / "bench" / "image" / "blobs"
    folder.mkdir(parents=True, exist_ok=True)
    growing = folder / "growing"
    seed = os.urandom(_PIECE)
    with growing.open("wb") as out:
        for number in range(0, size, _PIECE):
            piece = (number.to_bytes(8, "big") + seed[8:])[: size - number]
            running.update(piece)
            out.write(piece)
    file = growing.rename(folder / f"sha256:{running.hexdigest()}")
    return blob_of(file)


def blob_of(file: Path) -> Blob:
    """The blob that a file of ``make_blob`` holds."""
    return Blob(file, f"/v2/bench/image/blobs/{file.name}", file.stat().st_size)


class Check:
    """Compares what arrives with the file, at the speed of memory."""

    def __init__(self, blob: Blob) -> None:
        self._file = blob.file.open("rb")
        self._map = mmap.mmap(self._file.fileno(), 0, prot=mmap.PROT_READ | mmap.PROT_WRITE, flags=mmap.MAP_PRIVATE)
        self._pin = (ctypes.c_char * len(self._map)).from_buffer(self._map)
        self._base = ctypes.addressof(self._pin)
        self.size = blob.size
        # Pages of the comparison are touched before the clock runs.
        for offset in range(0, self.size, mmap.PAGESIZE):
            self._map[offset]

    def same(self, offset: int, address: int, count: int) -> bool:
        """Whether ``count`` bytes in memory are those at ``offset`` of the file."""
        return (
            offset + count <= self.size
            and _LIBC.memcmp(ctypes.c_void_p(self._base + offset), ctypes.c_void_p(address), ctypes.c_size_t(count)) == 0
        )
