"""From a path to who answers it: one look at the first segments, no routing table on the way of a small hit.

What starts with ``/api/`` and is no format's word, and the probes, go to fixed resources; top-level mounts of formats
(``/v2``) come next; everything else names a repository, whose own resource gets the segments behind it (``request.rest``).
Paths that may not be are refused before.
"""

from collections.abc import Callable, Mapping
from weakref import WeakKeyDictionary

from attrs import define, field
from klein import Klein
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from regproxy.errors import Kind, RegproxyError
from regproxy.repo.interface import Text, Unavailable
from regproxy.stream.places import RETRY_AFTER, Places
from regproxy.web.catalog import Catalog
from regproxy.web.direct import Direct
from regproxy.web.errors import envelope
from regproxy.web.paths import split_path
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text
from regproxy.web.serving import Served

PREFIX = "artifactory"
WELCOME = b"This is regproxy, a proxy of artifact registries. /api/repositories lists what it serves.\n"
TOO_MANY = Unavailable(503, "too many requests are being answered at once", RETRY_AFTER)
_METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE"})


def new_app() -> Klein:
    """A Klein app that does not redirect: ``/x`` is not ``/x/``, and ``//`` is nothing."""
    app = Klein()
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    return app


@implementer(IResource)
@define(eq=False)
class Root:
    """The resource of the whole server.

    Attributes:
        fixed: resources by first segment (``metrics``, ``livez``, …); ``api`` is the REST API.
        mounts: those of formats, likewise, and how those write refusals.
        requests: how many may be answered at once; probes and the API are answered in any case.
    """

    _catalog: Catalog
    _fixed: Mapping[str, IResource]
    _mounts: Mapping[str, IResource]
    _failures: Mapping[str, Callable[[Unavailable], Text]] = field(factory=dict)
    _requests: Places = field(factory=Places)
    isLeaf: bool = field(default=True, init=False)  # noqa: N815 - Twisted's name
    _resources: "WeakKeyDictionary[Served, IResource]" = field(factory=WeakKeyDictionary, init=False)

    def getChildWithDefault(self, name: bytes, request: ProxyRequest) -> IResource:  # noqa: ARG002, N802 - Twisted's
        """A leaf has no children."""
        return self

    def putChild(self, path: bytes, child: IResource) -> None:  # noqa: N802 - Twisted's name
        """A leaf has no children."""
        raise NotImplementedError("the root is a leaf")

    def render(self, request: ProxyRequest) -> bytes | int:
        """Find who answers, and let him."""
        try:
            target = self._target(request)
        except RegproxyError as error:
            return _at_once(request, envelope(400 if error.kind is Kind.INVALID else 404, error.text))
        if isinstance(target, Text):
            return _at_once(request, target)
        answer: bytes | int = target.render(request)
        return answer

    def _target(self, request: ProxyRequest) -> IResource | Text:
        if request.method not in _METHODS:
            request.setHeader("allow", "GET, HEAD")
            return envelope(405, "this method is not served")
        path = split_path(request.path)
        segments, encoded, skip = path.segments, path.encoded_slash, 0
        if segments[0] == PREFIX:
            request.prefix, skip = "/" + PREFIX, 1
            segments = segments[1:] or ("",)
            encoded = frozenset(at - 1 for at in encoded)
        request.raw_segments = path.raw_segments[skip:]
        request.segments, request.encoded_slash = segments, encoded
        first = segments[0]
        if first == "api":
            return self._api(request)
        if first in self._fixed:
            return _mounted(self._fixed[first], request, 1)
        if first in self._mounts:
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
        served = self._catalog(key) if key else None
        if served is not None and served.format.api == word:
            return self._admitted(self._resource(served), request, 3, served.format.failure)
        if key and any(each.format.api == word for each in self._catalog):
            raise RegproxyError(Kind.NOT_FOUND, f"there is no {word} repository {key!a}")
        return _mounted(self._fixed["api"], request, 1)

    def _repository(self, key: str, request: ProxyRequest) -> IResource | Text:
        served = self._catalog(key)
        if served is None:
            raise RegproxyError(Kind.NOT_FOUND, f"there is no repository {key!a}")
        return self._admitted(self._resource(served), request, 1, served.format.failure)

    def _resource(self, served: Served) -> IResource:
        resource = self._resources.get(served)
        if resource is None:
            resource = self._resources[served] = served.format.resource(served)
        return resource


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
