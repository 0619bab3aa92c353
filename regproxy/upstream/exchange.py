"""One request and the head of its answer on the wire; no redirect, no retry, no credential is decided here."""

from typing import Any

from attrs import frozen
from twisted.internet.defer import CancelledError
from twisted.web.http_headers import Headers as WireHeaders
from twisted.web.iweb import IAgent, IBodyProducer, IResponse

from regproxy import __version__
from regproxy.model.fetch import Hop
from regproxy.model.headers import Headers
from regproxy.upstream.failures import translate, was_cancelled
from regproxy.upstream.noted import Note, Noting
from regproxy.upstream.origin import Origin
from regproxy.upstream.source import length_of

OURS = (("user-agent", f"regproxy/{__version__}"), ("accept-encoding", "identity"))
NO_BODY = frozenset({204, 304})


@frozen
class Answer:
    """The head of an answer, and what its body is read from."""

    hop: Hop
    response: Any
    length: int | None
    note: Note | None = None

    def end(self) -> None:
        """Its body is not for us."""
        if self.note is not None:
            self.note.end()


async def send(
    agent: IAgent, method: str, url: str, headers: Headers, noting: Noting | None = None, body: IBodyProducer | None = None
) -> Answer:
    """Send one request.

    Raises:
        RegproxyError: what kept the answer away.
    """
    wire = WireHeaders()
    ours = [(name, value) for name, value in OURS if headers.first(name) is None]
    for name, value in (*ours, *headers):
        wire.addRawHeader(name.encode("ascii"), value.encode("latin-1", "replace"))
    note = noting.begin(method, url) if noting is not None else None
    try:
        response = await agent.request(method.encode("ascii"), url.encode("ascii"), wire, body)
    except Exception as error:  # Twisted has no common class for what goes wrong here
        cancelled = was_cancelled(error)
        told = None if cancelled else translate(str(Origin.of(url)), error)
        if note is not None:
            note.end(error="given up" if told is None else told.text)
        if told is None:
            raise CancelledError from error
        raise told from error
    return _answer(response, method, url, None if note is None else note.answered(response.code))


def _answer(response: IResponse, method: str, url: str, note: Note | None) -> Answer:
    pairs = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, values in response.headers.getAllRawHeaders()
        for value in values
    ]
    headers = Headers(tuple(pairs))
    status: int = response.code
    length = 0 if status in NO_BODY else length_of(response, method)
    # Twisted takes Content-Length for its own, except for HEAD.
    if method != "HEAD" and length is not None and status not in NO_BODY:
        headers = headers.plus(("content-length", str(length)))
    return Answer(Hop(url, status, headers), response, length, note)
