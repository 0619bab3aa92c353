"""Digests: what names bytes, and what checks them.

``sha256`` names every blob here. Other algorithms only verify what was promised: ``sha1``, ``md5``, ``sha384``, ``sha512``
and ``blake2b-256`` over the bytes, and ``git-sha1`` over Git's blob framing of them (``blob <length>\\0``
before the bytes), which needs the length before the first byte.
"""

import base64
import binascii
import hashlib
import re
from typing import Protocol, Self

from attrs import field, frozen

GIT_SHA1 = "git-sha1"
BLAKE2B_256 = "blake2b-256"

_HEX_LENGTH = {"sha256": 64, "sha512": 128, "sha384": 96, "sha1": 40, "md5": 32, GIT_SHA1: 40, BLAKE2B_256: 64}
_HEX = re.compile(r"[0-9a-f]+")


class Hash(Protocol):
    """What hashlib's objects have in common, as far as we use it."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""

    def hexdigest(self) -> str:
        """The value so far, in lower case."""

    def copy(self) -> Self:
        """Another one in the same state."""


@frozen(order=True, cache_hash=True)
class Digest:
    """An algorithm and the lower-case hexadecimal value; raises ``ValueError`` when either is malformed."""

    algorithm: str = field()
    hex: str = field()

    def __attrs_post_init__(self) -> None:
        length = _HEX_LENGTH.get(self.algorithm)
        if length is None:
            raise ValueError(f"unknown digest algorithm {self.algorithm[:20]!r}")
        if len(self.hex) != length or not _HEX.fullmatch(self.hex):
            raise ValueError(f"not a {self.algorithm} digest")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``algorithm:hex``, as OCI and our own documents write it."""
        algorithm, _, value = text.partition(":")
        return cls(algorithm, value)

    @classmethod
    def from_base64(cls, algorithm: str, text: str) -> Self:
        """Read a Subresource Integrity value, as npm writes it (without its ``algorithm-`` prefix)."""
        try:
            return cls(algorithm, base64.b64decode(text, validate=True).hex())
        except binascii.Error as error:
            raise ValueError("not base64") from error

    @classmethod
    def of(cls, data: bytes, algorithm: str = "sha256") -> Self:
        """Digest bytes that are at hand."""
        running = new_hash(algorithm, len(data))
        running.update(data)
        return cls(algorithm, running.hexdigest())

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"


def new_hash(algorithm: str, length: int | None) -> Hash:
    """Start a running hash; ``length`` is that of the body, and only ``git-sha1`` needs to know it."""
    if algorithm == GIT_SHA1:
        if length is None:
            raise ValueError("git-sha1 needs the length of the body before its first byte")
        running = hashlib.sha1(usedforsecurity=False)
        running.update(b"blob %d\0" % length)
        return running
    if algorithm == BLAKE2B_256:
        return hashlib.blake2b(digest_size=32, usedforsecurity=False)
    return hashlib.new(algorithm, usedforsecurity=False)
