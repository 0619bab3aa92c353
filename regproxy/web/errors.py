"""From trouble to HTTP: the one map of kinds to statuses, the Artifactory envelope, and the error routes of a Klein app.

What a client is shown is ``RegproxyError.text`` or a generic sentence; details go to the log. The reason phrase repeats the text
in short ASCII, because pip, apt and mvn show nothing else of a refusal.
"""

from collections.abc import Callable
from typing import Any, cast

import msgspec
from klein import Klein
from twisted.python.failure import Failure
from txaio.tx import make_logger
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from regproxy.errors import Kind, RegproxyError, is_used_up
from regproxy.model.headers import Headers
from regproxy.repo.interface import Text
from regproxy.stream.places import RETRY_AFTER
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import REASON, send_text

log = make_logger()

Shape = Callable[[int, str], Text]
"""Writes a status and a line of text in the way that a format's clients show."""

STATUS = {
    Kind.INVALID: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.DENIED: 403,
    Kind.NOT_FOUND: 404,
    Kind.METHOD_NOT_ALLOWED: 405,
    Kind.CONFLICT: 409,
    Kind.TOO_SLOW: 408,
    Kind.TOO_LARGE: 413,
    Kind.UNSATISFIABLE_RANGE: 416,
    Kind.UPSTREAM_DOWN: 503,
    Kind.UPSTREAM_SLOW: 504,
    Kind.UPSTREAM_BUSY: 429,
    Kind.UPSTREAM_BAD: 502,
    Kind.INTEGRITY: 502,
    Kind.STORAGE: 500,
    Kind.NO_ROOM: 507,
}


def envelope(status: int, message: str) -> Text:
    """Write Artifactory's ``{"errors": […]}``."""
    body = msgspec.json.format(msgspec.json.encode({"errors": [{"status": status, "message": message}]}))
    return Text(body, "application/json", headers=Headers(((REASON, message),)), status=status)


def _answer(request: ProxyRequest, text: Text) -> None:
    if request.startedWriting:
        request.cut()
    else:
        send_text(request, text)


def explain(request: ProxyRequest, failure: Failure, shape: Shape) -> None:
    """Answer a request whose coroutine failed; the request is still to be finished."""
    error = failure.value
    match error:
        case RegproxyError():
            if error.detail:
                log.info("{id}: {error!r}: {detail}", id=request.request_id, error=error, detail=error.detail)
            if error.retry_after is not None and not request.startedWriting:
                request.setHeader("retry-after", str(error.retry_after))
            _answer(request, shape(STATUS[error.kind], error.text))
        case HTTPException():
            if isinstance(error, MethodNotAllowed):
                request.setHeader("allow", ", ".join(sorted(error.valid_methods or ())))
            _answer(request, shape(error.code or 500, error.name))
        case OSError() if is_used_up(error):
            log.error("{id}: {error!r}", id=request.request_id, error=error)
            request.setHeader("retry-after", str(RETRY_AFTER))
            _answer(request, shape(503, "the server has too much to do at once"))
        case _:
            log.failure("{id}: unforeseen", failure=failure, id=request.request_id)
            _answer(request, shape(500, "internal error"))


def register(app: Klein, shape: Shape) -> None:
    """Give an app its error route: our errors, werkzeug's (404, 405 with Allow), and all others as a bare 500.

    Works for apps that are bound to an instance and for those that are not.
    """
    handle = cast(Callable[[type[Exception]], Callable[[Any], Any]], app.handle_errors)
    handle(Exception)(lambda *args: explain(args[-2], args[-1], shape))
