"""What is noted of an upload that comes in pieces: all that another process has to know to go on with its bytes. Pure."""

import re

import msgspec
from attrs import frozen

NAME = re.compile(r"[0-9a-f]{32}")
"""How the store calls what was begun; nothing else may become a part of a path."""


class _Noted(msgspec.Struct, frozen=True):
    session: tuple[str, str]


@frozen
class Session:
    """An upload that was begun.

    Attributes:
        repository: it goes there.
        subject: what else it is bound to, in the format's words (an image).
    """

    repository: str
    subject: str

    def to_json(self) -> bytes:
        """Write it down."""
        return msgspec.json.encode(_Noted((self.repository, self.subject)))

    @classmethod
    def from_json(cls, data: bytes) -> "Session | None":
        """Read one; None for what is none."""
        try:
            noted = msgspec.json.decode(data, type=_Noted)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return cls(*noted.session)


def place(subject: str, name: str = "") -> str:
    """Where a session counts as lying, for rights and patterns; no node has such a path."""
    return f"{subject}/_uploads/{name}"
