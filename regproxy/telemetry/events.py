"""What happened that somebody may have to answer for, or waits for: told here once, and heard by the audit log and by webhooks.

Whoever tells says what; for whom it was done comes from the ``Cause``. Nothing is made while nobody listens.
"""

import time
from collections.abc import Callable
from enum import Enum
from typing import Any

import msgspec
from attrs import define, field

from regproxy.telemetry.cause import CAUSE


class What(Enum):
    """Kinds of events; those up to ``mismatch`` are about nodes and those who ask for them, the others about who may do what."""

    LOGIN = "login"
    LOGIN_REFUSED = "login-refused"
    DENIED = "denied"
    DEPLOYED = "deployed"
    DELETED = "deleted"
    COPIED = "copied"
    MOVED = "moved"
    CACHED = "cached"
    MISMATCH = "mismatch"
    USER = "user"
    GROUP = "group"
    PERMISSION = "permission"
    TOKEN = "token"  # noqa: S105 - a word
    REPOSITORY = "repository"


SECURITY = frozenset({What.USER, What.GROUP, What.PERMISSION, What.TOKEN, What.REPOSITORY})


class Event(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="log", tag="audit", kw_only=True):
    """One of them.

    Attributes:
        request_id, user, client: of the request that it was for; empty for work of our own.
        subject: whom it is about: the user who was changed, the name that was tried.
        change: what was done to it: created, changed, removed, revoked.
        action: what was not permitted.
    """

    ts: float
    event: What
    request_id: str = ""
    user: str = ""
    client: str = ""
    repository: str = ""
    path: str = ""
    sha256: str = ""
    size: int = 0
    subject: str = ""
    change: str = ""
    action: str = ""
    detail: str = ""


Hear = Callable[[Event], None]


@define(eq=False)
class Events:
    """Passes them on to whoever listens."""

    _listeners: list[Hear] = field(factory=list, init=False)

    def listen(self, hear: Hear) -> None:
        """Hear of everything from now on."""
        self._listeners.append(hear)

    def tell(self, what: What, **about: Any) -> None:
        """Say that something has happened; ``about`` are further attributes of ``Event``."""
        if self._listeners:
            cause = CAUSE.get()
            known = {"request_id": cause.request_id, "user": cause.user, "client": cause.client, **about}
            event = Event(ts=time.time(), event=what, **known)
            for hear in self._listeners:
                hear(event)
