"""What came of a flight, as the processes tell one another: landed, an outcome without a body, or a failure. Pure."""

from typing import TypeVar

import msgspec

from regproxy.errors import Kind, RegproxyError

R = TypeVar("R")


class Ending(msgspec.Struct, frozen=True, omit_defaults=True):
    """The last line of a mark; nothing in it: it is stored, look it up.

    Attributes:
        outcome: what a flight without a body ended in, as its repository writes it; empty for none.
        kind, text: of a ``RegproxyError``.
    """

    outcome: str = ""
    kind: str = ""
    text: str = ""

    @property
    def error(self) -> RegproxyError | None:
        """The failure, if it was one."""
        return RegproxyError(Kind(self.kind), self.text) if self.kind else None


LANDED = Ending()


def failed(error: BaseException) -> Ending:
    """A failure, without what only a log may see."""
    if isinstance(error, RegproxyError):
        return Ending(kind=error.kind.value, text=error.text)
    return Ending(kind=Kind.UPSTREAM_DOWN.value, text="it could not be fetched")


def write_ending(ending: Ending) -> bytes:
    """As the rest of a line."""
    return msgspec.json.encode(ending)


def read_ending(text: bytes) -> Ending:
    """From the rest of a line; what makes no sense is a failure, because nobody can say that it landed."""
    try:
        ending = msgspec.json.decode(text, type=Ending)
        if ending.kind:
            Kind(ending.kind)
    except (msgspec.DecodeError, ValueError):
        return failed(RegproxyError(Kind.UPSTREAM_DOWN, "nobody knows how it ended"))
    return ending
