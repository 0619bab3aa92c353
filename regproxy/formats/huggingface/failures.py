"""Refusals as the hub's clients show them: ``X-Error-Code`` and ``X-Error-Message``, and a JSON ``{"error"}``. Pure.

The code decides which exception a client raises, so upstream's own goes through, and where it sent none the address says which
one is meant. The public hub says 401 "Invalid username or password" of a repository that does not exist as of one that is
private: its clients make the same of both, so the code is RepoNotFound. No 401 is passed on: other credentials of the client
would not help.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeGuard

from twisted.web.iweb import IRequest

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.huggingface.address import Address, AddressError, File, Info, Tree
from regproxy.formats.huggingface.plan import CODE, COMMIT, MESSAGE
from regproxy.model.access import Action
from regproxy.model.headers import Headers
from regproxy.repo.interface import Answer, Missing, Refused, Serving, Text, Unavailable

NO_HEADERS = Headers()
REPO, REVISION, ENTRY = "RepoNotFound", "RevisionNotFound", "EntryNotFound"
GATED = "GatedRepo"
"""Of a 403 to a reader: of one with any other code clients say that the connection is bad, and not why they were refused."""

_TOO_MANY = 429
_WAIT = 5
_PRIVATE = re.compile("invalid username or password|repository not found", re.IGNORECASE)
_LEFT = re.compile(r"\bt=(\d{1,4})\b")
_CODES = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    413: "PayloadTooLarge",
    416: "RangeNotSatisfiable",
    _TOO_MANY: "TooManyRequests",
    502: "BadUpstream",
    503: "Unavailable",
    504: "UpstreamTimeout",
}


def failure(answer: Missing | Refused | Unavailable) -> Text:
    """Write a refusal."""
    match answer:
        case Missing(reason, kept):
            return error_text(404, _CODES[404], reason, kept)
        case Refused(status, reason, kept):
            return error_text(status, _CODES.get(status, "Refused"), reason, kept)
        case Unavailable(status, reason, retry_after, kept):
            if retry_after is None and status == _TOO_MANY:
                retry_after = _seconds_left(kept)
            if retry_after is not None:
                kept = kept.plus(("retry-after", str(retry_after)))
            return error_text(status, _CODES.get(status, "Unavailable"), reason, kept)


def explained(answer: Answer, address: Address, commit: str = "") -> Answer:
    """Say of a refusal of upstream's what it means for this address; other answers stay as they are.

    ``commit`` is what the address's revision means, once that is known.
    """
    match answer:
        case Missing(reason, kept):
            return failure(Missing(reason, _with_code(kept, _missing_code(address, commit), commit)))
        case Refused(status, reason, kept) if is_private(answer):
            return failure(Refused(status, reason, _with_code(kept, REPO)))
        case Refused(403, reason, kept):
            return failure(Refused(403, reason, _with_code(kept, GATED)))
        case Refused() | Unavailable():
            return failure(answer)
        case _:
            return answer


def is_private(answer: Answer) -> TypeGuard[Refused]:
    """Whether a hub says that there is no such repository, or not for us: it makes no difference between the two."""
    if not isinstance(answer, Refused):
        return False
    return answer.kept.first(CODE) == REPO or _PRIVATE.search(answer.kept.first(MESSAGE) or "") is not None


@contextmanager
def reading() -> Iterator[None]:
    """What is denied to a reader has the code by which his client tells him so."""
    try:
        yield
    except RegproxyError as error:
        if error.kind is not Kind.DENIED:
            raise
        raise AddressError(error.kind, GATED, error.text) from error


def permit_read(serving: Serving, request: IRequest, path: str) -> str:
    """Who asks; ``AddressError`` if he may not read that."""
    with reading():
        return serving.permit(request, Action.READ, path)


def bad_address(trouble: AddressError, status: int) -> Text:
    """Write down why an address names nothing."""
    return error_text(status, trouble.code, trouble.text)


def error_text(status: int, code: str, message: str, kept: Headers = NO_HEADERS) -> Text:
    """One error; code and message that are kept from upstream's rule over ours."""
    fields = Headers(((CODE, code), (MESSAGE, message))).plus(*kept.fields)
    shown = fields.first(MESSAGE)
    return Text(json.dumps({"error": shown}).encode(), "application/json", headers=fields, status=status)


def _missing_code(address: Address, commit: str) -> str:
    match address:
        case File() | Tree() if commit:
            return ENTRY
        case Info(_, revision) if not revision:
            return REPO
        case _:
            return REVISION if getattr(address, "revision", "") else REPO


def _with_code(kept: Headers, code: str, commit: str = "") -> Headers:
    found = kept if kept.first(CODE) else kept.plus((CODE, code))
    return found.plus((COMMIT, commit)) if commit and found.first(CODE) == ENTRY else found


def _seconds_left(kept: Headers) -> int:
    """What upstream's ``RateLimit`` says, where it sent no ``Retry-After``."""
    left = _LEFT.search(kept.first("ratelimit") or "")
    return int(left[1]) if left else _WAIT
