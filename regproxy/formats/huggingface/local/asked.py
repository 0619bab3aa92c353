"""Read the bodies of calls, JSON all of them. Pure. ``AddressError`` (BadRequest) for what is none."""

from typing import TypeVar

import msgspec

from regproxy.errors import Kind
from regproxy.formats.huggingface.address import AddressError

T = TypeVar("T")

REGULAR = 1 << 20
"""Up to so many bytes a text is sent within its commit."""


class NewRepo(msgspec.Struct):
    """Create, or delete, a repository; whether it is private is a matter of rights here."""

    name: str
    organization: str | None = None
    type: str | None = None


class NewBranch(msgspec.Struct, rename="camel"):
    """Where a branch begins."""

    starting_point: str | None = None


class NewTag(msgspec.Struct):
    """What a tag is called."""

    tag: str


class NewSquash(msgspec.Struct):
    """Why."""

    message: str = ""


class File(msgspec.Struct):
    """A file that is about to be sent; the sample is of its first bytes."""

    path: str
    size: int
    sample: bytes = b""

    @property
    def is_lfs(self) -> bool:
        """Whether it is to be sent as an LFS object: what is large, and what is no text."""
        return self.size > REGULAR or b"\0" in self.sample or not _is_text(self.sample, whole=self.size <= len(self.sample))


class Preupload(msgspec.Struct):
    """Files that are about to be sent."""

    files: list[File]


class Object(msgspec.Struct):
    """An LFS object."""

    oid: str
    size: int


class Batch(msgspec.Struct):
    """LFS objects that are to be moved."""

    operation: str
    objects: list[Object]
    transfers: list[str] = msgspec.field(default_factory=lambda: ["basic"])
    hash_algo: str = "sha256"


def read(body: bytes, type_: type[T]) -> T:
    """Read one; an empty body says nothing."""
    try:
        return msgspec.json.decode(body or b"{}", type=type_)
    except ValueError as error:
        raise AddressError(Kind.INVALID, "BadRequest", f"the body cannot be read: {str(error)[:200]}") from None


def _is_text(sample: bytes, *, whole: bool) -> bool:
    """A sample may end within a letter."""
    for cut in range(1 if whole else 4):
        try:
            sample[: len(sample) - cut].decode()
        except UnicodeDecodeError:
            continue
        return True
    return False
