"""A local repository on the wire, at ``/{repo}`` and ``/api/pypi/{repo}``: its index, its files, uploads and deletes."""

from collections.abc import Callable, Sequence
from typing import assert_never

from attrs import define
from twisted.web.resource import IResource

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.pypi import address
from regproxy.formats.pypi.address import parse_address
from regproxy.formats.pypi.documents import Rendered
from regproxy.formats.pypi.failures import failure, refuse
from regproxy.formats.pypi.hosted import files
from regproxy.formats.pypi.hosted.contents import Contents
from regproxy.formats.pypi.hosted.upload import Publishing
from regproxy.formats.pypi.names import Part, normalise
from regproxy.formats.pypi.pages.accept import choose, wants_json
from regproxy.formats.pypi.pages.html_form import write_html
from regproxy.formats.pypi.pages.json_form import write_json
from regproxy.formats.pypi.pages.listing import write_list_html, write_list_json
from regproxy.formats.pypi.routes import accept_of
from regproxy.model.access import Action
from regproxy.model.headers import Headers
from regproxy.repo.interface import Answer, Elsewhere, Hosting, Missing, Refused, Serving, Text, Unavailable
from regproxy.web.direct import Direct
from regproxy.web.errors import register
from regproxy.web.request import ProxyRequest
from regproxy.web.root import new_app

_READ = ["GET", "HEAD"]
_MOVED = 301
_DEPTH = 3
"""Segments of a file's path."""
_REINDEXED = b"There is nothing to do: the index is made of what is there, whenever somebody asks for it.\n"
_INDEX_HEADERS = Headers.of(cache_control="no-cache", vary="Accept")
"""Whoever has published something sees it at once."""


@define(eq=False, slots=False)
class HostedRoutes:
    """Serves one repository."""

    app = new_app()
    _serving: Serving
    _repository: Hosting

    @app.route("/", methods=_READ, endpoint="read")
    @app.route("/<path:rest>", methods=_READ, endpoint="read below")
    async def read(self, request: ProxyRequest, rest: str = "") -> None:  # noqa: ARG002 - ``request.rest`` is that, never joined
        """Answer a GET or HEAD."""
        answer = await self._answer(request)
        if isinstance(answer, Missing | Refused | Unavailable) and wants_json(accept_of(request)):
            answer = failure(answer, as_json=True)
        await self._serving.send(request, answer)

    @app.route("/", methods=["POST"], endpoint="upload")
    async def upload(self, request: ProxyRequest) -> None:
        """Take a file."""
        await self._serving.send(request, await Publishing(self._serving, self._repository).upload(request))

    @app.route("/reindex", methods=["POST"])
    async def reindex(self, request: ProxyRequest) -> None:
        """Scripts ask for it after they have put files: the index is never behind."""
        self._serving.permit_somewhere(request, Action.WRITE)
        await self._serving.send(request, Text(_REINDEXED, "text/plain"))

    @app.route("/<path:rest>", methods=["DELETE"])
    async def delete(self, request: ProxyRequest, rest: str) -> None:  # noqa: ARG002 - as above
        """Remove a file with its metadata, or a version, or a project."""
        path = _deleted(request.rest)
        request.node = path
        if path.endswith("/"):
            self._serving.permit_somewhere(request, Action.DELETE)
            await self._serving.permit_below(request, Action.DELETE, path)
            found = await self._repository.delete(path)
        else:
            self._serving.permit(request, Action.DELETE, path)
            # In this order: what is left after a crash is a file without metadata, never the reverse.
            await self._repository.delete(path + Part.METADATA.value)
            found = await self._repository.delete(path)
        gone = Text(b"", "text/plain", status=204)
        await self._serving.send(request, gone if found else Missing(f"{self._repository.key} does not have it"))

    async def _answer(self, request: ProxyRequest) -> Answer:
        if not request.rest:
            return Elsewhere(f"{request.mount.rpartition('/')[2]}/simple/", _MOVED)
        if request.rest_slash:
            raise _no_address()
        match parse_address(request.rest):
            case address.Moved(location):
                return Elsewhere(location, _MOVED)
            case address.File() as file:
                request.node = file.path
                self._serving.permit(request, Action.READ, file.path)
                return await files.find(self._repository, file, body=request.method == b"GET")
            case address.Projects() | address.Page() as wanted:
                request.node = wanted.path
                self._serving.permit_somewhere(request, Action.READ)
                return await self._index(request, wanted)
            case address.Release() | address.Stored():
                self._serving.permit_somewhere(request, Action.READ)
                return Missing("a local repository has no such document")
            case other:
                assert_never(other)

    async def _index(self, request: ProxyRequest, wanted: address.Projects | address.Page) -> Answer:
        contents = Contents(self._serving.tree, lambda path: self._serving.permits(request, Action.READ, path))
        form = choose(accept_of(request))
        render: Callable[[], bytes]
        if isinstance(wanted, address.Page):
            name = wanted.name
            project = await contents.project(name)
            if project is None:
                return Missing(f"{self._repository.key} has no project {name}")
            write = write_json if form.is_json else write_html
            render = lambda: write(name, project)  # noqa: E731 - one of two
        else:
            names = await contents.projects()
            write_list = write_list_json if form.is_json else write_list_html
            render = lambda: write_list(names)  # noqa: E731 - the other
        rendered = Rendered.of(await self._serving.apart(render))
        return Text(rendered.body, form.value, etag=rendered.etag, headers=_INDEX_HEADERS)


def _deleted(segments: Sequence[str]) -> str:
    """The path of what is to be deleted: that of a folder has a slash at its end."""
    parts = list(segments[:-1]) if segments and not segments[-1] else list(segments)
    if not 0 < len(parts) <= _DEPTH or normalise(parts[0]) != parts[0] or not all(parts):
        raise _no_address()
    if len(parts) == _DEPTH:
        wanted = parse_address(parts)
        if isinstance(wanted, address.File):
            return wanted.path
        raise _no_address()
    return "/".join(parts) + "/"


def _no_address() -> RegproxyError:
    return RegproxyError(Kind.NOT_FOUND, "no such address in a Python package index")


register(HostedRoutes.app, refuse)


def resource_for(serving: Serving, repository: Hosting) -> IResource:
    """Make the resource of one repository."""
    routes = HostedRoutes(serving, repository)
    return Direct(routes.read, routes.app.resource(), refuse)
