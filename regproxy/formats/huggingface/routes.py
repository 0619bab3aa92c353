"""The hub's API on the wire, below ``/api/huggingfaceml/{repo}``, which clients are given as ``HF_ENDPOINT``.

The path is read by ``address``, for Klein's routing cannot know how many segments an id has. The paths of nodes can be read too.
"""

from attrs import define
from twisted.web.resource import IResource

from regproxy.errors import Kind
from regproxy.formats.huggingface.address import AddressError, Fixed, PathsInfo, parse_address
from regproxy.formats.huggingface.failures import bad_address, error_text, failure, permit_read
from regproxy.formats.huggingface.hub import Asked, Hub
from regproxy.formats.huggingface.names import node_of
from regproxy.repo.interface import Refused, Serving, Text
from regproxy.web.body import read_whole
from regproxy.web.direct import Direct
from regproxy.web.errors import STATUS, register
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text
from regproxy.web.root import new_app

QUESTION_LIMIT = 1 << 20
_READ = ["GET", "HEAD"]
_WRITE = ["POST", "PUT", "PATCH", "DELETE"]


@define(eq=False, slots=False)
class Routes:
    """Serves one repository."""

    app = new_app()
    _serving: Serving

    @app.route("/", methods=_READ, endpoint="read")
    @app.route("/<path:rest>", methods=_READ, endpoint="read below")
    async def read(self, request: ProxyRequest, rest: str = "") -> None:  # noqa: ARG002 - ``request.rest`` is that, never joined
        """Answer a GET or HEAD."""
        try:
            await self._answer(request)
        except AddressError as error:
            send_text(request, bad_address(error, STATUS[error.kind]))

    @app.route("/", methods=_WRITE, endpoint="write")
    @app.route("/<path:rest>", methods=_WRITE, endpoint="write below")
    async def write(self, request: ProxyRequest, rest: str = "") -> None:  # noqa: ARG002 - as above
        """Answer the two calls that ask by a POST, and refuse all others."""
        try:
            asks = request.method == b"POST" and isinstance(parse_address(request.rest), PathsInfo | Fixed)
        except AddressError:
            asks = False
        if asks:
            await self._answer(request)
        else:
            send_text(request, error_text(403, "ReadOnly", f"{self._serving.repository.key} is a remote repository: read only"))

    async def _answer(self, request: ProxyRequest) -> None:
        address = parse_address(request.rest)
        if isinstance(address, PathsInfo) and request.method != b"POST":
            raise AddressError(Kind.METHOD_NOT_ALLOWED, "MethodNotAllowed", "paths-info is asked by POST")
        request.node = node_of(address)
        if not isinstance(address, Fixed):
            permit_read(self._serving, request, request.node)
        asked = Asked(
            address,
            endpoint=self._serving.base_url(request).removesuffix(request.prefix) + request.mount,
            body=request.method != b"HEAD",
            query=request.uri.partition(b"?")[2].decode("latin-1"),
            authorized=request.getHeader("authorization") is not None,
            content=await read_whole(request.body, QUESTION_LIMIT) if request.method == b"POST" else b"",
            media_type=request.getHeader("content-type") or "",
        )
        answer = await Hub(self._serving).answer(asked)
        if isinstance(address, Fixed) and isinstance(answer, Text):  # about the hub, not about anything in the repository
            send_text(request, answer)
        else:
            await self._serving.send(request, answer)


def resource_for(serving: Serving) -> IResource:
    """Make the resource of one repository."""
    routes = Routes(serving)
    return Direct(routes.read, routes.app.resource(), _shape)


def _shape(status: int, text: str) -> Text:
    return failure(Refused(status, text))


register(Routes.app, _shape)
