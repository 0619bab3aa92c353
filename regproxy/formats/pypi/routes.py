"""The index on the wire, at ``/{repo}`` and ``/api/pypi/{repo}``: addresses become answers, answers are sent."""

from typing import assert_never

from attrs import define, field
from twisted.web.resource import IResource

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.pypi import address
from regproxy.formats.pypi.address import parse_address
from regproxy.formats.pypi.documents import Documents
from regproxy.formats.pypi.failures import failure, refuse
from regproxy.formats.pypi.files import Files
from regproxy.formats.pypi.pages.accept import wants_json
from regproxy.model.access import Action
from regproxy.model.headers import Headers
from regproxy.repo.interface import Answer, Elsewhere, Missing, Refused, Serving, Unavailable
from regproxy.web.direct import Direct
from regproxy.web.errors import register
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text
from regproxy.web.root import new_app

_READ = ["GET", "HEAD"]
_WRITE = ["POST", "PUT", "PATCH", "DELETE"]
_MOVED = 301


@define(eq=False, slots=False)
class Routes:
    """Serves one repository."""

    app = new_app()
    _serving: Serving
    _documents: Documents = field(init=False)
    _files: Files = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._documents = Documents(self._serving)
        self._files = Files(self._serving.repository, self._documents)

    @app.route("/", methods=_READ, endpoint="read")
    @app.route("/<path:rest>", methods=_READ, endpoint="read below")
    async def read(self, request: ProxyRequest, rest: str = "") -> None:  # noqa: ARG002 - ``request.rest`` is that, never joined
        """Answer a GET or HEAD."""
        answer = await self._answer(request)
        if isinstance(answer, Missing | Refused | Unavailable) and wants_json(accept_of(request)):
            answer = failure(answer, as_json=True)
        await self._serving.send(request, answer)

    @app.route("/", methods=_WRITE, endpoint="write")
    @app.route("/<path:rest>", methods=_WRITE, endpoint="write below")
    async def write(self, request: ProxyRequest, rest: str = "") -> None:  # noqa: ARG002 - nothing can be written
        """Refuse an upload."""
        request.setHeader("allow", ", ".join(_READ))
        send_text(request, refuse(405, f"{self._serving.repository.key} is a remote repository: nothing can be uploaded to it"))

    async def _answer(self, request: ProxyRequest) -> Answer:
        if not request.rest:
            return Elsewhere(f"{request.mount.rpartition('/')[2]}/simple/", _MOVED)
        if request.rest_slash:
            raise RegproxyError(Kind.NOT_FOUND, "no such address in a Python package index")
        wanted = parse_address(request.rest)
        if isinstance(wanted, address.Moved):
            return Elsewhere(wanted.location, _MOVED)
        request.node = wanted.path
        self._serving.permit(request, Action.READ, wanted.path)
        if isinstance(wanted, address.File):
            return await self._files.answer(wanted, body=request.method == b"GET")
        return await self._document(request, wanted)

    async def _document(self, request: ProxyRequest, wanted: address.Document) -> Answer:
        accept = accept_of(request)
        match wanted:
            case address.Projects():
                return await self._documents.projects(accept)
            case address.Page(name):
                return await self._documents.page(name, accept)
            case address.Release(name, _):
                return await self._documents.release(name, wanted.path, self._root(request))
            case address.Stored(path):
                return await self._documents.resolve(path)
            case _:
                assert_never(wanted)

    def _root(self, request: ProxyRequest) -> str:
        return self._serving.base_url(request) + request.mount.removeprefix(request.prefix)


register(Routes.app, refuse)


def resource_for(serving: Serving) -> IResource:
    """Make the resource of one repository."""
    routes = Routes(serving)
    return Direct(routes.read, routes.app.resource(), refuse)


def accept_of(request: ProxyRequest) -> str | None:
    """What a client takes: all lines of the field, for some clients send one for each type."""
    lines = request.requestHeaders.getRawHeaders("accept", [])
    return Headers(tuple(("accept", line) for line in lines)).joined("accept")
