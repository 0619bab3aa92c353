"""The registry API on the wire: below ``/v2`` for all repositories, and below a repository's own address.

``/v2`` alone finds its repository by the first component, else by containerd's ``?ns=``, else takes the default one: a closed
world, nothing that a client says is ever dialled. Below ``/{repo}`` the API lies at ``v2``, and the paths of nodes beside it.
"""

from collections.abc import Sequence
from typing import cast
from urllib.parse import urlsplit

from attrs import define
from twisted.web.resource import IResource

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.oci.address import (
    Address,
    AddressError,
    Begun,
    Images,
    Layer,
    Manifest,
    Ping,
    Referrers,
    Tags,
    Uploads,
    parse_address,
)
from regproxy.formats.oci.failures import bad_address, error_text, failure
from regproxy.formats.oci.hosted import Hosted
from regproxy.formats.oci.names import PACKAGE_TYPES, mirrored_host, parse_path, want_for
from regproxy.formats.oci.promotion import promote
from regproxy.formats.oci.push import Push, Sources
from regproxy.formats.oci.registry import Asked, Registry, ping
from regproxy.formats.oci.virtual.answering import Several
from regproxy.model.access import Action
from regproxy.repo.interface import Find, Refused, Serving, ServingSeveral, Text, is_hosting, is_virtual
from regproxy.web.direct import Direct
from regproxy.web.errors import STATUS, envelope, register
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text
from regproxy.web.root import new_app

API = "v2"
DOCKER_HUB = "docker.io"
"""Only its images are asked for in a mirror by docker, whose mirror is the default repository."""

_READ = ["GET", "HEAD"]
_WRITE = ["POST", "PUT", "PATCH", "DELETE"]
# Made once: a union is put together at each look.
_LISTS, _NODES = (Tags, Referrers, Images), (Manifest, Layer, Tags, Referrers)


@define(eq=False, slots=False)
class RepositoryRoutes:
    """Serves one repository, at ``/{repo}`` and ``/api/docker/{repo}``."""

    app = new_app()
    _serving: Serving

    @app.route("/", methods=_READ, endpoint="read")
    @app.route("/<path:rest>", methods=_READ, endpoint="read below")
    async def read(self, request: ProxyRequest, rest: str = "") -> None:  # noqa: ARG002 - ``request.rest`` is that, never joined
        """Answer a GET or HEAD."""
        try:
            await _serve(request, self._serving, _below_repository(request.rest))
        except AddressError as error:
            send_text(request, bad_address(error, STATUS[error.kind]))

    @app.route(f"/{API}/promote", methods=["POST"])
    async def promote(self, request: ProxyRequest) -> None:
        """Have an image go to another repository: a call of scripts, which read the envelope of their API."""
        try:
            send_text(request, await promote(request, self._serving))
        except RegproxyError as error:
            if error.retry_after is not None:
                _set_header(request, "Retry-After", str(error.retry_after))
            send_text(request, envelope(STATUS[error.kind], error.text))

    @app.route("/", methods=_WRITE, endpoint="write")
    @app.route("/<path:rest>", methods=_WRITE, endpoint="write below")
    async def write(self, request: ProxyRequest, rest: str = "") -> None:  # noqa: ARG002 - as above
        """Put something into a local repository, or take it out."""
        try:
            address = _below_repository(request.rest)
            await _change(request, self._serving, address, lambda image: _members(request, self._serving, image))
        except AddressError as error:
            send_text(request, bad_address(error, STATUS[error.kind]))


@define(eq=False, slots=False)
class RootRoutes:
    """Serves ``/v2``."""

    app = new_app()
    _find: Find

    @app.route("/", methods=_READ, endpoint="read")
    @app.route("/<path:rest>", methods=_READ, endpoint="read below")
    async def read(self, request: ProxyRequest, rest: str = "") -> None:  # noqa: ARG002 - ``request.rest`` is that, never joined
        """Answer a GET or HEAD."""
        try:
            serving, address = self._choose(request)
            if serving is None:
                send_text(request, ping())
            else:
                await _serve(request, serving, address)
        except AddressError as error:
            send_text(request, bad_address(error, STATUS[error.kind]))

    @app.route("/", methods=_WRITE, endpoint="write")
    @app.route("/<path:rest>", methods=_WRITE, endpoint="write below")
    async def write(self, request: ProxyRequest, rest: str = "") -> None:  # noqa: ARG002 - as above
        """Put something into a local repository, or take it out."""
        try:
            serving, address = self._choose(request)
            if serving is None:
                _refuse_writing(request)
            else:
                await _change(request, serving, address, lambda image: self._named(request, image, serving))
        except AddressError as error:
            send_text(request, bad_address(error, STATUS[error.kind]))

    def _named(self, request: ProxyRequest, image: str, asked: Serving) -> list[tuple[Serving, str]]:
        """What a client may mean that is asked where a blob is: it writes names as in references, or as below this repository."""
        key, _, name = image.partition("/")
        found = _seen(request, self._find(key))
        named = _members(request, found, name) if found is not None and name else []
        return [*_members(request, asked, image), *named]

    def _choose(self, request: ProxyRequest) -> tuple[Serving | None, Address]:
        first, *others = request.rest or ("",)
        named = _seen(request, self._find(first))
        if named is not None:
            return named, parse_address(others)
        address = parse_address(request.rest)
        if isinstance(address, Ping):
            self._find.greet(request)
            return None, address
        chosen, host = self._unnamed(request)
        if chosen is None and not self._find.admits(request):
            raise self._find.unknown(request, first)
        if chosen is None and isinstance(address, Images):
            raise AddressError(Kind.NOT_FOUND, "UNSUPPORTED", "no default repository whose images could be listed")
        if chosen is None:
            without = f"images of {host!a}" if host else "names without one"
            raise AddressError(Kind.NOT_FOUND, "NAME_UNKNOWN", f"no repository {first}, and none for {without}")
        return chosen, address

    def _unnamed(self, request: ProxyRequest) -> tuple[Serving | None, str | None]:
        """What stands behind a name without a repository, and the host that its client means: another one's image is not his."""
        host = mirrored_host(_query(request))
        mirror = self._find.for_upstream(host) if host else None
        if host and (mirror is not None or host != DOCKER_HUB):
            _set_header(request, "OCI-Namespace", host)
            return _seen(request, mirror), host
        return _seen(request, self._find.default()), None


def resource_for(serving: Serving) -> IResource:
    """Make the resource of one repository."""
    routes = RepositoryRoutes(serving)
    return Direct(routes.read, routes.app.resource(), _shape)


def root_resource(find: Find) -> IResource:
    """Make the resource of ``/v2``."""
    routes = RootRoutes(find)
    return Direct(routes.read, routes.app.resource(), _shape)


def _refuse_writing(request: ProxyRequest) -> None:
    _set_header(request, "Allow", ", ".join(_READ))
    send_text(request, error_text(405, "UNSUPPORTED", "a remote repository is read only"))


def _set_header(request: ProxyRequest, name: str, value: str) -> None:
    request.responseHeaders.setRawHeaders(name, [value])


def _shape(status: int, text: str) -> Text:
    return failure(Refused(status, text))


for _routes in (RepositoryRoutes, RootRoutes):
    register(_routes.app, _shape)


def _below_repository(segments: Sequence[str]) -> Address:
    """Read what stands behind a repository's own address: the API below ``v2``, and the paths of its nodes."""
    if segments and segments[0] == API:
        return parse_address(segments[1:])
    return parse_path(segments)


def _seen(request: ProxyRequest, serving: Serving | None) -> Serving | None:
    """Repositories of other formats have nothing to say here, nor have those that are not for who asks."""
    if serving is None or serving.repository.settings.package_type not in PACKAGE_TYPES:
        return None
    return serving.seen_by(request)


def _members(request: ProxyRequest, serving: Serving, image: str) -> list[tuple[Serving, str]]:
    """Where an image of a repository may lie: in itself, or in any that it shows."""
    if is_virtual(serving.repository):
        return [(member, image) for member in cast(ServingSeveral, serving).members(request)]
    return [(serving, image)]


async def _serve(request: ProxyRequest, serving: Serving, address: Address) -> None:
    rclass = serving.repository.settings.rclass
    if isinstance(address, Begun) and rclass != "remote":
        await _change(request, serving, address, lambda _: ())
        return
    query = _query(request)
    if isinstance(address, Ping):
        send_text(request, ping())
        return
    path = _external(request, serving) if isinstance(address, _LISTS) else ""
    if isinstance(address, _NODES):
        request.node = want_for(address, serving.repository.settings.url, query).path
    serving.permit(request, Action.READ, request.node)

    def sees(node: str) -> bool:
        return serving.permits(request, Action.READ, node)

    asked = Asked(address, path, body=request.method != b"HEAD", query=query)
    if rclass == "virtual":
        await Several(cast(ServingSeveral, serving), request).read(asked)
        return
    answering = Hosted(serving, sees) if is_hosting(serving.repository) else Registry(serving)
    await serving.send(request, await answering.answer(asked))


async def _change(request: ProxyRequest, serving: Serving, address: Address, sources: Sources) -> None:
    repository, image_url = serving.repository, _image_url(request, serving, address)
    if is_virtual(repository):
        await Several(cast(ServingSeveral, serving), request).change(address, sources, image_url)
    elif is_hosting(repository):
        await serving.send(request, await Push(serving, repository, sources, image_url).answer(request, address))
    else:
        _refuse_writing(request)


def _image_url(request: ProxyRequest, serving: Serving, address: Address) -> str:
    """The external path of the image: what stands in front of the rest of the address; "" for an address without one."""
    match address:
        case Begun():
            behind = 3
        case Uploads():
            behind = 3 if not request.rest[-1] else 2
        case Manifest() | Layer():
            behind = 2
        case _:
            return ""
    below = "/".join(request.rest[: len(request.rest) - behind])
    return f"{_mounted(request, serving)}/{below}"


def _external(request: ProxyRequest, serving: Serving) -> str:
    return f"{_mounted(request, serving)}/{'/'.join(request.rest)}"


def _mounted(request: ProxyRequest, serving: Serving) -> str:
    """The path that our own addresses have for the client; a proxy in front may have put something before it."""
    return f"{urlsplit(serving.base_url(request)).path.removesuffix(request.prefix)}{request.mount}"


def _query(request: ProxyRequest) -> str:
    return request.uri.partition(b"?")[2].decode("latin-1")
