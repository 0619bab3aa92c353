"""The API of a virtual repository on the wire: each question goes to one member, and so does all that is written.

Members answer by their own routes, so that nothing is written twice. Every address that they tell leads through the virtual
repository, for they make it from the one that was asked.
"""

from typing import cast

from attrs import define, field
from twisted.web.resource import IResource

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.huggingface.address import Address, AddressError, Fixed, Id, Listing, PathsInfo, parse_address
from regproxy.formats.huggingface.failures import failure, permit_read
from regproxy.formats.huggingface.hub import Asked, Hub
from regproxy.formats.huggingface.local.routes import LocalRoutes, fixed, with_reasons
from regproxy.formats.huggingface.names import folder_of, node_of
from regproxy.formats.huggingface.routes import Routes
from regproxy.formats.huggingface.virtual.choosing import Choosing
from regproxy.formats.huggingface.virtual.merging import Merging
from regproxy.formats.huggingface.virtual.owning import has
from regproxy.formats.huggingface.xet.calls import Data, Reconstruction, Token, is_xet, parse_xet
from regproxy.model.access import Action
from regproxy.repo.interface import Answer, Refused, Serving, ServingSeveral, Text, is_hosting
from regproxy.web.direct import Direct
from regproxy.web.errors import register
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text
from regproxy.web.root import new_app

_WRITE = ["POST", "PUT", "PATCH", "DELETE"]


@define(eq=False, slots=False)
class VirtualRoutes:
    """Serves one repository."""

    app = new_app()
    _serving: ServingSeveral
    _choosing: Choosing = field(init=False)
    _locals: dict[str, LocalRoutes] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._choosing = Choosing(self._serving)

    async def read(self, request: ProxyRequest) -> None:
        """Answer a GET or HEAD."""
        await with_reasons(request, self._read)

    @app.route("/", methods=_WRITE, endpoint="write")
    @app.route("/<path:rest>", methods=_WRITE, endpoint="write below")
    async def write(self, request: ProxyRequest, rest: str = "") -> None:  # noqa: ARG002 - ``request.rest`` is that, never joined
        """Answer what changes something, and the two calls that ask by a POST."""
        await with_reasons(request, self._write)

    async def _read(self, request: ProxyRequest) -> None:
        if is_xet(request.rest):
            await self._xet(request)
        elif request.rest[-2:] == ("auth-check", "write"):
            await self._deployment(request).read(request)
        else:
            await self._answer(request, parse_address(request.rest))

    async def _write(self, request: ProxyRequest) -> None:
        try:
            address = parse_address(request.rest) if request.method == b"POST" and not is_xet(request.rest) else None
        except AddressError:
            address = None
        if isinstance(address, PathsInfo | Fixed):
            await self._answer(request, address)
        else:
            await self._deployment(request).write(request)

    async def _xet(self, request: ProxyRequest) -> None:
        """A token for reading is the owner's, and good for what that one has. All else is sent to the one that takes uploads."""
        match parse_xet(request.rest):
            case Token(repo, writes=False):
                await self._by_owner(request, repo, f"{folder_of(repo)}/**")
            case Reconstruction(repo) | Data(repo):
                self._serving.permit_somewhere(request, Action.READ)
                await self._local(self._reader(request, repo)).read(request)
            case _:
                await self._deployment(request).read(request)

    def _reader(self, request: ProxyRequest, repo: Id) -> Serving:
        for member in (each for each in self._serving.members(request) if has(each, repo)):
            try:
                member.permit_somewhere(request, Action.READ)
            except RegproxyError:
                continue
            return member
        raise AddressError(Kind.NOT_FOUND, "NotFound", "there is no such file here")

    async def _answer(self, request: ProxyRequest, address: Address) -> None:
        match address:
            case Fixed():
                send_text(request, fixed(request, address, may_write=self._may_create(request)))
            case Listing():
                await self._listing(request, address)
            case _:
                request.node = node_of(address)
                await self._by_owner(request, address.repo, request.node)

    async def _by_owner(self, request: ProxyRequest, repo: Id, path: str) -> None:
        permit_read(self._serving, request, path)
        member = await self._choosing.choose(request, repo, path)
        if isinstance(member, Answer):
            await self._serving.send(request, member)
            return
        routes = self._local(member) if is_hosting(member.repository) else Routes(member)
        await (routes.write if request.method == b"POST" else routes.read)(request)

    async def _listing(self, request: ProxyRequest, address: Listing) -> None:
        self._serving.permit_somewhere(request, Action.READ)
        request.node = node_of(address)

        async def ask(member: Serving, asked: Asked) -> Answer:
            if is_hosting(member.repository):
                return await self._local(member).answer(request, asked)
            permit_read(member, request, request.node)
            return await Hub(member).answer(asked)

        endpoint = self._serving.base_url(request).removesuffix(request.prefix) + request.mount
        merging = Merging(self._serving, request, ask)
        query = request.uri.partition(b"?")[2].decode("latin-1")
        await self._serving.send(request, await merging.answer(Asked(address, endpoint, query=query)))

    def _may_create(self, request: ProxyRequest) -> bool:
        try:
            return self._deployment(request).may_create(request)
        except RegproxyError:
            return False

    def _deployment(self, request: ProxyRequest) -> LocalRoutes:
        """The one that takes what is written; ``RegproxyError`` if there is none."""
        member, _ = self._serving.deployment(request)
        return self._local(member)

    def _local(self, member: Serving) -> LocalRoutes:
        """The routes of a local member, which remember what they have read."""
        repository = member.repository
        assert is_hosting(repository)
        found = self._locals.get(repository.key)
        if found is None:
            found = self._locals[repository.key] = LocalRoutes(member, repository)
        return found


def resource_for(serving: Serving) -> IResource:
    """Make the resource of one repository."""
    routes = VirtualRoutes(cast(ServingSeveral, serving))
    return Direct(routes.read, routes.app.resource(), _shape)


def _shape(status: int, text: str) -> Text:
    return failure(Refused(status, text))


register(VirtualRoutes.app, _shape)
