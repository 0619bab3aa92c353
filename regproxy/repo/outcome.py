"""What an upstream's answer without a body means to the one who asked: the map from statuses and failures to answers.

An outage is never a 404; 404 and 410 are the only proof of absence; a 401 or 403 of an upstream is a refusal, not an outage.
"""

from regproxy.errors import Kind, RegproxyError
from regproxy.model.headers import Headers
from regproxy.model.retry import retry_after
from regproxy.repo.interface import Missing, Refused, Unavailable

_UNAVAILABLE = {
    Kind.UPSTREAM_DOWN: 503,
    Kind.UPSTREAM_SLOW: 504,
    Kind.UPSTREAM_BUSY: 429,
    Kind.UPSTREAM_BAD: 502,
    Kind.INTEGRITY: 502,
    Kind.STORAGE: 503,
}

GONE = frozenset({404, 410})


def refusal(name: str, status: int, headers: Headers, keep: frozenset[str]) -> Missing | Refused | Unavailable:
    """Translate the status of an answer that brings no artifact; ``name`` is the upstream's."""
    kept = headers.only(keep)
    match status:
        case 404 | 410:
            return Missing(f"{name} does not have it", kept)
        case 429:
            return Unavailable(429, f"{name} limits our rate", retry_after(headers), kept)
        case 401 | 407:
            return Refused(403, f"{name} wants other credentials than it is given", kept)
        case 403 | 451:
            return Refused(403, f"{name} refuses it", kept)
        case 503:
            return Unavailable(503, f"{name} is not available", retry_after(headers), kept)
    return Unavailable(502, f"{name} answered with status {status}", None, kept)


def failure(error: RegproxyError) -> Unavailable:
    """Translate what went wrong before there was an answer."""
    return Unavailable(_UNAVAILABLE.get(error.kind, 502), error.text, error.retry_after)
