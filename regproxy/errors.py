"""The one exception that crosses our own layers.

A ``RegproxyError`` says what kind of trouble it is, in a word that a program can match, and has a text that
may be shown to a client. What must stay private (paths, upstream bodies, credentials) goes into ``detail``,
which only the log sees. The map from kinds to HTTP is in ``web/errors.py`` and nowhere else; the map from
Twisted's and OpenSSL's exceptions to kinds is in ``upstream/failures.py``.
"""

import errno
from enum import Enum


class Kind(Enum):
    """What went wrong, seen from the one who asked."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    DENIED = "denied"
    NOT_FOUND = "not-found"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    CONFLICT = "conflict"
    TOO_LARGE = "too-large"
    TOO_SLOW = "too-slow"
    NO_ROOM = "no-room"
    UNSATISFIABLE_RANGE = "unsatisfiable-range"
    UPSTREAM_DOWN = "upstream-down"
    UPSTREAM_SLOW = "upstream-slow"
    UPSTREAM_BUSY = "upstream-busy"
    UPSTREAM_BAD = "upstream-bad"
    INTEGRITY = "integrity"
    STORAGE = "storage"


_USED_UP = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})


class RegproxyError(Exception):
    """Trouble that somebody above can do something about.

    Attributes:
        kind: matched by callers and mapped to a status.
        text: one line for the client: no path of ours, no credential, no upstream body.
        detail: for the log only.
        retry_after: seconds after which it is worth another try, if that is known.
    """

    def __init__(self, kind: Kind, text: str, *, detail: str = "", retry_after: int | None = None) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.detail = detail
        self.retry_after = retry_after

    def __repr__(self) -> str:
        return f"RegproxyError({self.kind.value}: {self.text})"


def is_used_up(error: OSError) -> bool:
    """Whether it passes by itself, when others have ended: descriptors or memory. Of the file in question it says nothing."""
    return error.errno in _USED_UP
