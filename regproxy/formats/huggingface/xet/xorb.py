"""Xorbs: up to 64 MiB of data in chunks, one behind the other, each with a header and perhaps compressed. Reads the file of one;
blocks.

``ValueError`` for what is none. What a header says is believed as far as the bytes agree, and no further.
"""

import os
from collections.abc import Iterator, Sequence

from attrs import frozen
from lz4.frame import LZ4FrameDecompressor

from regproxy.formats.huggingface.xet.hashes import Sized, of_chunk, of_xorb, to_text

LIMIT = 65 << 20
"""Clients fill a xorb with 64 MiB of data: headers, and the footer that older ones send, come on top of that."""

CHUNK_LIMIT = 128 << 10
HEADER = 8
MOST_CHUNKS = 8 << 10
_PLAIN, _LZ4, _GROUPED = 0, 1, 2


@frozen
class Chunk:
    """Where a chunk lies in its xorb, and how many bytes it has; ``stored`` of them, behind the header."""

    offset: int
    stored: int
    scheme: int
    size: int


def chunks_of(descriptor: int, size: int) -> Sequence[Chunk]:
    """Find the chunks; whatever is not one ends them: a footer."""
    found: list[Chunk] = []
    at = 0
    while at + HEADER <= size:
        header = os.pread(descriptor, HEADER, at)
        if len(header) < HEADER or header[0] != 0:
            break
        chunk = Chunk(at + HEADER, int.from_bytes(header[1:4], "little"), header[4], int.from_bytes(header[5:8], "little"))
        if not (
            0 < chunk.size <= CHUNK_LIMIT and 0 < chunk.stored <= CHUNK_LIMIT + HEADER and chunk.offset + chunk.stored <= size
        ):
            raise ValueError(f"chunk {len(found)} is of no size that a chunk can have")
        found.append(chunk)
        if len(found) > MOST_CHUNKS:
            raise ValueError("it has too many chunks")
        at = chunk.offset + chunk.stored
    if not found:
        raise ValueError("it has no chunks")
    return found


def read_chunk(descriptor: int, chunk: Chunk) -> bytes:
    """The bytes of a chunk."""
    stored = os.pread(descriptor, chunk.stored, chunk.offset)
    if chunk.scheme == _PLAIN:
        data = stored
    elif chunk.scheme in (_LZ4, _GROUPED):
        data = _unpacked(stored, chunk.size)
    else:
        raise ValueError(f"a chunk is compressed by an unknown scheme: {chunk.scheme}")
    if len(data) != chunk.size:
        raise ValueError("a chunk has another size than its header says")
    return _ungrouped(data) if chunk.scheme == _GROUPED else data


def _unpacked(stored: bytes, size: int) -> bytes:
    try:
        data: bytes = LZ4FrameDecompressor().decompress(stored, max_length=size + 1)
    except (RuntimeError, EOFError) as error:
        raise ValueError("a chunk cannot be unpacked") from error
    return data


def _ungrouped(data: bytes) -> bytes:
    """Undo a grouping: first come the bytes at 0, 4, 8 and so on, then those at 1, 5, 9."""
    found = bytearray(len(data))
    at = 0
    for first in range(4):
        count = len(range(first, len(data), 4))
        found[first::4] = data[at : at + count]
        at += count
    return bytes(found)


def hashes_of(descriptor: int, chunks: Sequence[Chunk]) -> Iterator[Sized]:
    """Hash each chunk."""
    return ((of_chunk(read_chunk(descriptor, chunk)), chunk.size) for chunk in chunks)


def name_of(descriptor: int, size: int) -> str:
    """What the bytes of a xorb say that it is called; every chunk of it can be read then."""
    if size > LIMIT:
        raise ValueError("it has more than 65 MiB")
    return to_text(of_xorb(list(hashes_of(descriptor, chunks_of(descriptor, size)))))
