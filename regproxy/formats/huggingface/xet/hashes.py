"""The hashes of Xet: BLAKE3 under keys of its own, and trees over chunks. Pure.

A hash is written as four numbers of 64 bits, little-endian in memory: each group of eight bytes is turned around.
"""

from collections.abc import Sequence

from blake3 import blake3

SIZE = 32
_DATA_KEY = bytes.fromhex("6697f5775b9550de3135cbaca597181c9de421109beb2b58b4d0b04b93adf229")
_NODE_KEY = bytes.fromhex("017ec5c7a5472996fd946666b48a02e65ddd536f37c76dd2f86352e64a53713f")
_LEAST, _MOST, _CUT = 3, 9, 4
"""A group of a tree has so many nodes at least and at most, and ends where a hash is divisible by the last."""

Sized = tuple[bytes, int]
"""A hash, and how many bytes are below it."""


def to_text(raw: bytes) -> str:
    """Write a hash."""
    return b"".join(raw[at : at + 8][::-1] for at in range(0, SIZE, 8)).hex()


def of_chunk(data: bytes) -> bytes:
    """The hash of a chunk."""
    return blake3(data, key=_DATA_KEY).digest()


def of_xorb(chunks: Sequence[Sized]) -> bytes:
    """The hash of a xorb: the root of the tree over its chunks."""
    level = list(chunks)
    if not level:
        return bytes(SIZE)
    while len(level) > 1:
        level = [_parent(group) for group in _groups(level)]
    return level[0][0]


def _groups(level: Sequence[Sized]) -> Sequence[Sequence[Sized]]:
    found: list[Sequence[Sized]] = []
    start = 0
    while start < len(level):
        stop = _end(level, start)
        found.append(level[start:stop])
        start = stop
    return found


def _end(level: Sequence[Sized], start: int) -> int:
    left = len(level) - start
    if left < _LEAST:
        return len(level)
    for at in range(start + _LEAST - 1, min(len(level), start + _MOST)):
        if int.from_bytes(level[at][0][24:], "little") % _CUT == 0:
            return at + 1
    return min(len(level), start + _MOST)


def _parent(group: Sequence[Sized]) -> Sized:
    lines = "".join(f"{to_text(raw)} : {size}\n" for raw, size in group)
    return blake3(lines.encode(), key=_NODE_KEY).digest(), sum(size for _, size in group)
