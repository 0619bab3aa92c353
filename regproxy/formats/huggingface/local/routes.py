"""The API of a local repository on the wire. Every call asks for the right that it needs before its body is looked at."""

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, field
from twisted.web.resource import IResource

from regproxy.formats.huggingface.address import Address, AddressError, Fixed, Listing, PathsInfo, parse_address
from regproxy.formats.huggingface.failures import bad_address, error_text, failure, permit_read
from regproxy.formats.huggingface.hub import Asked
from regproxy.formats.huggingface.local.archive import Archive
from regproxy.formats.huggingface.local.calls import MayWrite, parse_call, parse_folder
from regproxy.formats.huggingface.local.committing import OutdatedError
from regproxy.formats.huggingface.local.hosted import Hosted, to_json
from regproxy.formats.huggingface.local.listing import whoami_json
from regproxy.formats.huggingface.local.places import references_place
from regproxy.formats.huggingface.local.publishing import Publisher
from regproxy.formats.huggingface.local.writing import QUESTION_LIMIT, Writing, name_of
from regproxy.formats.huggingface.names import node_of
from regproxy.formats.huggingface.xet.answering import Xet
from regproxy.formats.huggingface.xet.calls import is_xet, parse_xet
from regproxy.model.access import Action
from regproxy.repo.interface import Answer, Hosting, Refused, Serving, Text
from regproxy.web.body import read_whole
from regproxy.web.direct import Direct
from regproxy.web.errors import STATUS, register
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text
from regproxy.web.root import new_app

_WRITE = ["POST", "PUT", "PATCH", "DELETE"]


@define(eq=False, slots=False)
class LocalRoutes:
    """Serves one repository."""

    app = new_app()
    _serving: Serving
    _repository: Hosting
    _archive: Archive = field(init=False)
    _publisher: Publisher = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._archive = Archive(self._serving, self._repository)
        self._publisher = Publisher(self._serving, self._repository, self._archive)

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
            await self._may_write(request)
        else:
            await self._answer(request, parse_address(request.rest))

    async def _xet(self, request: ProxyRequest) -> None:
        xet = Xet(self._serving, self._repository, request, self._endpoint(request))
        await xet.answer(parse_xet(request.rest))

    async def _write(self, request: ProxyRequest) -> None:
        if is_xet(request.rest):
            await self._xet(request)
            return
        try:
            address = parse_address(request.rest) if request.method == b"POST" else None
        except AddressError:
            address = None
        if isinstance(address, PathsInfo | Fixed):
            await self._answer(request, address)
        else:
            writing = Writing(self._publisher, request, self._endpoint(request))
            folder = parse_folder(request.rest) if request.method == b"DELETE" else None
            if folder is None:
                send_text(request, await writing.answer(parse_call(request.rest)))
                return
            await writing.delete(folder)
            send_text(request, Text(b"", "text/plain", status=204))

    async def _may_write(self, request: ProxyRequest) -> None:
        call = parse_call(request.rest)
        assert isinstance(call, MayWrite)
        self._serving.permit(request, Action.WRITE, references_place(call.repo))
        await self._archive.known(call.repo)
        send_text(request, to_json({}))

    async def _answer(self, request: ProxyRequest, address: Address) -> None:
        if isinstance(address, Fixed):
            send_text(request, fixed(request, address, may_write=self.may_create(request)))
            return
        request.node = node_of(address)
        if isinstance(address, Listing):  # of a list, everybody sees what he may see
            self._serving.permit_somewhere(request, Action.READ)
        else:
            permit_read(self._serving, request, request.node)
        await self._serving.send(request, await self.answer(request, await self._asked(request, address)))

    async def answer(self, request: ProxyRequest, asked: Asked) -> Answer:
        """What is answered to one who may ask that."""
        assert not isinstance(asked.address, Fixed)
        serving = self._serving
        hosted = Hosted(
            serving,
            self._archive,
            lambda path: permit_read(serving, request, path),
            lambda path: serving.permits(request, Action.READ, path),
        )
        return await hosted.answer(asked.address, asked)

    async def _asked(self, request: ProxyRequest, address: Address) -> Asked:
        return Asked(
            address,
            endpoint=self._endpoint(request),
            body=request.method != b"HEAD",
            query=request.uri.partition(b"?")[2].decode("latin-1"),
            content=await read_whole(request.body, QUESTION_LIMIT) if request.method == b"POST" else b"",
            media_type=request.getHeader("content-type") or "",
        )

    def may_create(self, request: ProxyRequest) -> bool:
        """Whether he may make a repository in his own namespace."""
        return self._serving.permits(request, Action.WRITE, f"models/{name_of(request)}/any/_refs.json")

    def _endpoint(self, request: ProxyRequest) -> str:
        return self._serving.base_url(request).removesuffix(request.prefix) + request.mount


def fixed(request: ProxyRequest, address: Fixed, *, may_write: bool) -> Text:
    """What is not about anything in the repository."""
    if address is Fixed.VALIDATE_YAML:
        return to_json({"errors": [], "warnings": []})
    if request.getHeader("authorization") is None:
        return error_text(401, "Unauthorized", "Invalid credentials in Authorization header")
    return to_json(whoami_json(name_of(request), may_write=may_write))


async def with_reasons(request: ProxyRequest, answer: Callable[[ProxyRequest], Coroutine[Any, Any, None]]) -> None:
    """Answer; what is refused is refused with the code that the client's own exception depends on."""
    try:
        await answer(request)
    except AddressError as error:
        send_text(request, bad_address(error, STATUS[error.kind]))
    except OutdatedError as error:
        send_text(request, error_text(412, "PreconditionFailed", error.text))


def resource_for(serving: Serving, repository: Hosting) -> IResource:
    """Make the resource of one repository."""
    routes = LocalRoutes(serving, repository)
    return Direct(routes.read, routes.app.resource(), _shape)


def _shape(status: int, text: str) -> Text:
    return failure(Refused(status, text))


register(LocalRoutes.app, _shape)
