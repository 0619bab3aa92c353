"""Refusals as pip and uv show them: they print the reason phrase and nothing else; the body is for people with curl."""

from regproxy.model.headers import Headers
from regproxy.repo.interface import Missing, Refused, Text, Unavailable
from regproxy.web.errors import envelope
from regproxy.web.respond import REASON

Failure = Missing | Refused | Unavailable


def failure(answer: Failure, *, as_json: bool = False) -> Text:
    """Write a refusal."""
    match answer:
        case Missing(reason, kept):
            return _text(404, reason, kept, as_json=as_json)
        case Refused(status, reason, kept):
            return _text(status, reason, kept, as_json=as_json)
        case Unavailable(status, reason, retry_after, kept):
            more = (("retry-after", str(retry_after)),) if retry_after is not None else ()
            return _text(status, reason, kept.plus(*more), as_json=as_json)


def refuse(status: int, reason: str) -> Text:
    """Write what is wrong with a request."""
    return failure(Refused(status, reason))


def _text(status: int, reason: str, kept: Headers, *, as_json: bool) -> Text:
    if as_json:
        shaped = envelope(status, reason)
        return Text(shaped.body, shaped.media_type, headers=kept.plus(*shaped.headers), status=status)
    body = f"{reason}\n".encode()
    return Text(body, "text/plain; charset=utf-8", headers=kept.plus((REASON, reason)), status=status)
