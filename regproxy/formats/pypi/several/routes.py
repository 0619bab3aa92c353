"""A virtual repository on the wire, at ``/{repo}`` and ``/api/pypi/{repo}``: the members' index and files, uploads for one."""

from collections.abc import Sequence
from typing import assert_never

from attrs import define, field
from twisted.web.resource import IResource

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.pypi import address
from regproxy.formats.pypi.address import parse_address
from regproxy.formats.pypi.failures import failure, refuse
from regproxy.formats.pypi.hosted.routes import HostedRoutes
from regproxy.formats.pypi.pages.accept import wants_json
from regproxy.formats.pypi.routes import accept_of
from regproxy.formats.pypi.several.asking import Asking
from regproxy.formats.pypi.several.pages import Pages
from regproxy.model.access import Action
from regproxy.repo.interface import Answer, Elsewhere, Missing, Refused, Serving, ServingSeveral, Unavailable
from regproxy.web.direct import Direct
from regproxy.web.errors import register
from regproxy.web.request import ProxyRequest
from regproxy.web.root import new_app

_READ = ["GET", "HEAD"]
_MOVED = 301


@define(eq=False, slots=False)
class VirtualRoutes:
    """Serves one repository."""

    app = new_app()
    _serving: ServingSeveral
    _pages: Pages = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._pages = Pages(self._serving)

    @app.route("/", methods=_READ, endpoint="read")
    @app.route("/<path:rest>", methods=_READ, endpoint="read below")
    async def read(self, request: ProxyRequest, rest: str = "") -> None:  # noqa: ARG002 - ``request.rest`` is that, never joined
        """Answer a GET or HEAD."""
        found, answer = await self._answer(request)
        if isinstance(answer, Missing | Refused | Unavailable) and wants_json(accept_of(request)):
            answer = failure(answer, as_json=True)
        await (found or self._serving).send(request, answer)

    @app.route("/", methods=["POST"], endpoint="upload")
    async def upload(self, request: ProxyRequest) -> None:
        """Take a file, for the member that takes them."""
        await HostedRoutes(*self._serving.deployment(request)).upload(request)

    @app.route("/reindex", methods=["POST"])
    async def reindex(self, request: ProxyRequest) -> None:
        """There is nothing to do here either."""
        await HostedRoutes(*self._serving.deployment(request)).reindex(request)

    @app.route("/<path:rest>", methods=["DELETE"])
    async def delete(self, request: ProxyRequest, rest: str) -> None:
        """Remove what lies in the member that takes uploads."""
        await HostedRoutes(*self._serving.deployment(request)).delete(request, rest)

    async def _answer(self, request: ProxyRequest) -> tuple[Serving | None, Answer]:
        if not request.rest:
            return None, Elsewhere(f"{request.mount.rpartition('/')[2]}/simple/", _MOVED)
        if request.rest_slash:
            raise RegproxyError(Kind.NOT_FOUND, "no such address in a Python package index")
        wanted = parse_address(request.rest)
        if isinstance(wanted, address.Moved):
            return None, Elsewhere(wanted.location, _MOVED)
        request.node = wanted.path
        asking = Asking(self._serving, request)
        match wanted:
            case address.File():
                self._serving.permit(request, Action.READ, wanted.path)
                return await asking.file(wanted)
            case address.Projects() | address.Page():
                self._serving.permit_somewhere(request, Action.READ)
                return None, await self._index(asking, wanted)
            case address.Release():
                self._serving.permit(request, Action.READ, wanted.path)
                return await asking.release(wanted, self._serving.base_url(request) + request.mount.removeprefix(request.prefix))
            case address.Stored():
                self._serving.permit(request, Action.READ, wanted.path)
                return await asking.stored(wanted)
            case other:
                assert_never(other)

    async def _index(self, asking: Asking, wanted: address.Projects | address.Page) -> Answer:
        accept = accept_of(asking.request)
        if isinstance(wanted, address.Page):
            found = await asking.page(wanted.name)
            return await self._pages.page(wanted.name, found, accept) if isinstance(found, Sequence) else found
        lists = await asking.projects()
        return await self._pages.projects(lists, accept) if isinstance(lists, Sequence) else lists


register(VirtualRoutes.app, refuse)


def resource_for(serving: ServingSeveral) -> IResource:
    """Make the resource of one repository."""
    routes = VirtualRoutes(serving)
    return Direct(routes.read, routes.app.resource(), refuse)
