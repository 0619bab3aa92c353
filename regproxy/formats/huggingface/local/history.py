"""What is kept of a commit beside its files: who made it, when, why, and what came before. Pure."""

from datetime import UTC, datetime
from typing import Self

import msgspec
from attrs import frozen

from regproxy.formats.huggingface.local.git import Signature, commit_id


class _Document(msgspec.Struct, frozen=True):
    parents: tuple[str, ...]
    tree: str
    user: str
    seconds: int
    title: str
    message: str
    request: str


@frozen
class Commit:
    """One commit.

    Attributes:
        tree: Git's name of its files.
        request: the digest of what the client has sent; a client that did not hear our answer sends it again.
    """

    parents: tuple[str, ...]
    tree: str
    user: str
    seconds: int
    title: str
    message: str = ""
    request: str = ""

    @property
    def id(self) -> str:
        """Its name."""
        text = f"{self.title}\n\n{self.message}" if self.message else self.title
        return commit_id(self.tree, self.parents, Signature(self.user, self.seconds), text)

    @property
    def date(self) -> str:
        """As the hub writes it."""
        return iso(self.seconds)

    @classmethod
    def of(cls, document: bytes) -> Self:
        """Read the document; ``ValueError`` for what is none."""
        found = msgspec.json.decode(document, type=_Document)
        return cls(found.parents, found.tree, found.user, found.seconds, found.title, found.message, found.request)

    def to_json(self) -> bytes:
        """Write the document."""
        document = _Document(self.parents, self.tree, self.user, self.seconds, self.title, self.message, self.request)
        return msgspec.json.encode(document)


def iso(seconds: float) -> str:
    """A date as the hub writes it."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
