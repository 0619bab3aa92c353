"""Outcomes without a body as JSON: how one process of a server tells them to another. Pure."""

from typing import assert_never

import msgspec

from regproxy.model.headers import Headers
from regproxy.repo.interface import Missing, Refused, Unavailable

Outcome = Missing | Refused | Unavailable


class _Spoken(msgspec.Struct, frozen=True, omit_defaults=True):
    reason: str
    kept: tuple[tuple[str, str], ...] = ()
    missing: bool = False
    refused: bool = False
    status: int = 503
    retry_after: int | None = None


def spoken(outcome: Outcome) -> bytes:
    """Write one down."""
    match outcome:
        case Missing(reason, kept):
            said = _Spoken(reason, kept.fields, missing=True)
        case Refused(status, reason, kept):
            said = _Spoken(reason, kept.fields, refused=True, status=status)
        case Unavailable(status, reason, retry_after, kept):
            said = _Spoken(reason, kept.fields, status=status, retry_after=retry_after)
        case _:
            assert_never(outcome)
    return msgspec.json.encode(said)


def heard(text: bytes) -> Outcome:
    """Read one; what makes no sense is an outage."""
    try:
        said = msgspec.json.decode(text, type=_Spoken)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Unavailable(503, "nobody knows what upstream answered")
    kept = Headers(said.kept)
    if said.missing:
        return Missing(said.reason, kept)
    if said.refused:
        return Refused(said.status, said.reason, kept)
    return Unavailable(said.status, said.reason, said.retry_after, kept)
