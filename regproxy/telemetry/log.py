"""What is written of requests, of what was asked upstream for them, and of what happened: the entries of the logs, as JSON lines.

Queries and credentials are in none of them: signed URLs and tokens stand there. ``piped.py`` has the other form.
"""

from collections.abc import Sequence

import msgspec

_encode_lines = msgspec.json.Encoder().encode_lines


class Asked(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="log", tag="request"):
    """One request. Times are seconds, sizes bytes; ``node`` is empty where no node was touched.

    Attributes:
        user, token: who has asked, and the id of the token that he has shown; empty for one who has shown nothing.
        received: bytes of the request's body that came.
        ttfb: from request to the first byte of the answer.
        trace: the client's own id, ``traceparent``.
    """

    ts: float
    request_id: str
    client: str
    method: str
    path: str
    status: int
    bytes: int
    duration: float
    ttfb: float | None = None
    user: str = ""
    token: str = ""
    repository: str = ""
    node: str = ""
    cache: str = ""
    received: int = 0
    trace: str = ""
    user_agent: str = ""


class Exchange(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="log", tag="out"):
    """One request to an upstream, and its answer: a redirect, a token's, or the body itself.

    Attributes:
        request_id, user: of the request that it was for; empty for work of our own.
        url: without user and query.
        status: 0 if no answer came.
        bytes: of the body, as far as it was taken.
        error: why there was no answer, or no end of it.
    """

    ts: float
    request_id: str
    user: str
    repository: str
    method: str
    url: str
    status: int
    bytes: int
    duration: float
    ttfb: float | None = None
    error: str = ""


def json_lines(entries: Sequence[msgspec.Struct]) -> bytes:
    """One JSON object a line."""
    return _encode_lines(entries)
