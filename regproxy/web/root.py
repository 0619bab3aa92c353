"""From a path to who answers it: one look at the first segments, no routing table on the way of a small hit.

What starts with ``/api/`` and is no format's word, and the probes, go to fixed resources; top-level mounts of formats
(``/v2``) come next; everything else names a repository, whose own resource gets the segments behind it (``request.rest``).
Paths that may not be are refused before.
"""

from collections.abc import Callable, Mapping
from typing import cast

from attrs import define, field
from klein import Klein
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from regproxy import __version__
from regproxy.errors import Kind, RegproxyError
from regproxy.model.level import LEVEL
from regproxy.repo.interface import Text, Unavailable
from regproxy.stream.places import RETRY_AFTER, Places
from regproxy.telemetry.cause import CAUSE
from regproxy.web.catalog import Catalog
from regproxy.web.direct import Direct
from regproxy.web.errors import STATUS, envelope
from regproxy.web.gate import is_token_server
from regproxy.web.paths import split_path
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text

PREFIX = "artifactory"
WELCOME = b"This is regproxy, a proxy of artifact registries. /api/repositories lists what it serves.\n"
TOO_MANY = Unavailable(503, "too many requests are being answered at once", RETRY_AFTER)
_SPOKEN = f"Artifactory/{LEVEL} regproxy/{__version__}"
_OPEN = frozenset({"", "livez", "readyz", "startupz"})
_METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE"})


def new_app() -> Klein:
    """A Klein app that does not redirect: ``/x`` is not ``/x/``, and ``//`` is nothing."""
    app = Klein()
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    return app


def _anybody(_: ProxyRequest) -> None:
    """Nobody is asked who he is."""


def _nothing() -> None:
    """There are none."""


@implementer(IResource)
@define(eq=False)
class Root:
    """The resource of the whole server.

    Attributes:
        fixed: resources by first segment (``metrics``, ``livez``, …); ``api`` is the REST API, ``api/x`` and ``api/x/y`` parts of
            it, ``access/v2`` what is below ``access/api/v2``.
        mounts: those of formats, likewise, and how those write refusals.
        words: how each format writes refusals, by its word behind ``api``; they tell nobody whether it has a repository.
        identify: notes who asks (``gate``); probes are open to all.
        token_server: at ``/v2/token``, and at ``/api/docker/{repository}/v2/token``.
        look: called before a repository is looked for: there may be newer ones.
        requests: how many may be answered at once; probes and the API are answered in any case.
    """

    _catalog: Catalog
    _fixed: Mapping[str, IResource]
    _mounts: Mapping[str, IResource]
    _failures: Mapping[str, Callable[[Unavailable], Text]] = field(factory=dict)
    _requests: Places = field(factory=Places)
    _identify: "Callable[[ProxyRequest], Deferred[None] | None]" = field(default=_anybody)
    _token_server: IResource | None = None
    _look: Callable[[], None] = field(default=_nothing)
    _words: Mapping[str, Callable[[Unavailable], Text]] = field(factory=dict)
    isLeaf: bool = field(default=True, init=False)  # noqa: N815 - Twisted's name

    def getChildWithDefault(self, name: bytes, request: ProxyRequest) -> IResource:  # noqa: ARG002, N802 - Twisted's
        """A leaf has no children."""
        return self

    def putChild(self, path: bytes, child: IResource) -> None:  # noqa: N802 - Twisted's name
        """A leaf has no children."""
        raise NotImplementedError("the root is a leaf")

    def render(self, request: ProxyRequest) -> bytes | int:
        """Find who answers, and let him."""
        if request.method not in _METHODS:
            request.setHeader("allow", "GET, HEAD")
            return self._refused(request, RegproxyError(Kind.METHOD_NOT_ALLOWED, "this method is not served"))
        try:
            self._read(request)
            waiting = None if request.segments[0] in _OPEN else self._identify(request)
        except RegproxyError as error:
            return self._refused(request, error)
        if waiting is None:
            return self._render(request)
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)
        waiting.addBoth(self._identified, request, gone).addErrback(request.processingFailed)
        return int(NOT_DONE_YET)

    def _identified(self, outcome: "Failure | None", request: ProxyRequest, gone: list[object]) -> None:
        """Go on with a request that had to wait."""
        if gone:
            return
        if isinstance(outcome, Failure):
            outcome.trap(RegproxyError)
            self._refused(request, cast(RegproxyError, outcome.value))
            return
        carried = CAUSE.set(request.cause)
        try:
            body = self._render(request)
        finally:
            CAUSE.reset(carried)
        if isinstance(body, bytes):
            request.write(body)
            request.finish()

    def _render(self, request: ProxyRequest) -> bytes | int:
        try:
            target = self._target(request)
        except RegproxyError as error:
            return self._refused(request, error)
        if isinstance(target, Text):
            return _at_once(request, target)
        answer: bytes | int = target.render(request)
        return answer

    def _refused(self, request: ProxyRequest, error: RegproxyError) -> int:
        """In the words of the client's format; the same for what is not there and what is not for everybody."""
        failure = self._failure(request)
        status = STATUS[error.kind]
        if failure is not None:
            return _at_once(request, failure(Unavailable(status, error.text, error.retry_after)))
        if error.retry_after is not None:
            request.setHeader("retry-after", str(error.retry_after))
        return _at_once(request, envelope(status, error.text))

    def _failure(self, request: ProxyRequest) -> "Callable[[Unavailable], Text] | None":
        """How the clients that use such an address are told no: from the path as it was sent, which may be one that is refused.

        A repository's own address says nothing: who may not see it does not learn its format.
        """
        sent = request.path.decode("latin-1").split("/")[1:]
        first, word = (*(sent[1:] if sent[:1] == [PREFIX] else sent), "", "")[:2]
        if first != "api":
            return self._failures.get(first)
        return self._words.get(word)

    def _read(self, request: ProxyRequest) -> None:
        """Split the path, without the prefix."""
        path = split_path(request.path)
        segments, encoded, skip = path.segments, path.encoded_slash, 0
        if segments[0] == PREFIX:
            request.prefix, skip = "/" + PREFIX, 1
            segments = segments[1:] or ("",)
            encoded = frozenset(at - 1 for at in encoded)
        request.raw_segments = path.raw_segments[skip:]
        request.segments, request.encoded_slash = segments, encoded

    def _target(self, request: ProxyRequest) -> IResource | Text:
        segments = request.segments
        first = segments[0]
        if first not in _OPEN:
            self._look()
        if first == "api":
            return self._api(request)
        if first in self._fixed:
            part = "/".join((first, *segments[2:3]))
            return _mounted(self._fixed.get(part) or self._fixed[first], request, 1)
        if first in self._mounts:
            if is_token_server(segments) and self._token_server is not None:
                return _mounted(self._token_server, request, 2)
            return self._admitted(self._mounts[first], request, 1, self._failures.get(first))
        if segments == ("",):
            return Text(WELCOME, "text/plain")
        return self._repository(first, request)

    def _admitted(
        self, resource: IResource, request: ProxyRequest, depth: int, failure: "Callable[[Unavailable], Text] | None"
    ) -> IResource | Text:
        """What answers, or a refusal in its words while too much is going on."""
        if failure is not None and self._requests.refuses():
            return failure(TOO_MANY)
        return _mounted(resource, request, depth)

    def _api(self, request: ProxyRequest) -> IResource | Text:
        segments = request.segments
        word, key = (*segments[1:3], "", "")[:2]
        if is_token_server(segments) and self._token_server is not None:
            return _mounted(self._token_server, request, len(segments))
        served = self._catalog.find(key, request) if key else None
        if served is not None and served.format.api == word:
            return self._admitted(served.resource, request, 3, served.format.failure)
        if key and word in self._words:
            raise self._catalog.unknown(request, key)
        request.setHeader("x-jfrog-version", _SPOKEN)
        found = (self._fixed.get(each) for each in (f"api/{word}/{key}", f"api/{word}"))
        return _mounted(next(filter(None, found), self._fixed["api"]), request, 1)

    def _repository(self, key: str, request: ProxyRequest) -> IResource | Text:
        served = self._catalog.find(key, request)
        if served is None:
            raise self._catalog.unknown(request, key)
        return self._admitted(served.resource, request, 1, served.format.failure)


def _mounted(resource: IResource, request: ProxyRequest, depth: int) -> IResource:
    """Hand over what is behind the first segments."""
    request.mount = f"{request.prefix}/{b'/'.join(request.raw_segments[:depth]).decode('ascii')}"
    request.rest = request.segments[depth:]
    if request.encoded_slash:
        request.rest_slash = frozenset(at - depth for at in request.encoded_slash if at >= depth)
    if not isinstance(resource, Direct):
        request.prepare_for_klein()
    return resource


def _at_once(request: ProxyRequest, text: Text) -> int:
    send_text(request, text)
    request.finish()
    return int(NOT_DONE_YET)
