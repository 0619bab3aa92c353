"""Xorbs and shards as clients of Xet make them, out of chunks that a test chooses."""

import hashlib
import struct
from collections.abc import Sequence

import lz4.frame
from attrs import frozen

from regproxy.formats.huggingface.xet.hashes import of_chunk, of_xorb, to_text

BOOKEND = b"\xff" * 32 + bytes(16)


@frozen
class Made:
    """A xorb: its name, its bytes, its chunks."""

    name: str
    body: bytes
    chunks: Sequence[bytes]


def grouped(data: bytes) -> bytes:
    """Group bytes: those at 0, 4, 8 and so on, then those at 1, 5, 9."""
    return b"".join(data[first::4] for first in range(4))


def framed(data: bytes, scheme: int) -> bytes:
    """One chunk with its header."""
    packed: bytes = {1: lambda: lz4.frame.compress(data), 2: lambda: lz4.frame.compress(grouped(data))}.get(
        scheme, lambda: data
    )()
    return bytes([0]) + struct.pack("<I", len(packed))[:3] + bytes([scheme]) + struct.pack("<I", len(data))[:3] + packed


def unframed(data: bytes) -> bytes:
    """The bytes of chunks that are stored as they are."""
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at + 1 : at + 4], "little")
        assert (data[at], data[at + 4], data[at + 1 : at + 4]) == (0, 0, data[at + 5 : at + 8])
        found.append(data[at + 8 : at + 8 + size])
        at += 8 + size
    return b"".join(found)


def make_xorb(chunks: Sequence[bytes], schemes: Sequence[int] = (0,), footer: bytes = b"") -> Made:
    """Of some chunks, compressed by these schemes in turn."""
    body = b"".join(framed(chunk, schemes[at % len(schemes)]) for at, chunk in enumerate(chunks))
    name = to_text(of_xorb([(of_chunk(chunk), len(chunk)) for chunk in chunks]))
    return Made(name, body + footer, chunks)


Run = tuple[Made, int, int]
"""Chunks of a xorb, from the first to behind the last."""


def content_of(runs: Sequence[Run]) -> bytes:
    """What a file is."""
    return b"".join(chunk for xorb, start, stop in runs for chunk in xorb.chunks[start:stop])


def _raw(text: str) -> bytes:
    data = bytes.fromhex(text)
    return b"".join(data[at : at + 8][::-1] for at in range(0, 32, 8))


def make_shard(*files: Sequence[Run], sha256: str = "", flags: int = 0xC0000000) -> bytes:
    """Of some files; ``sha256`` in place of the right one."""
    found = b"HFRepoMetaData\0".ljust(32, b"\x55") + struct.pack("<QQ", 2, 0)
    for runs in files:
        found += bytes(32) + struct.pack("<IIQ", flags, len(runs), 0)
        for xorb, start, stop in runs:
            size = sum(map(len, xorb.chunks[start:stop]))
            found += _raw(xorb.name) + struct.pack("<IIII", 0, size, start, stop)
        found += bytes(48) * len(runs) if flags & (1 << 31) else b""
        if flags & (1 << 30):
            found += _raw(sha256 or hashlib.sha256(content_of(runs)).hexdigest()) + bytes(16)
    return found + BOOKEND + b"what is said of xorbs is not needed" * 10 + BOOKEND
