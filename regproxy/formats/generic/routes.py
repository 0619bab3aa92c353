"""The routes of a remote repository, GET and HEAD of any path, and the format itself."""

from collections.abc import Mapping
from typing import cast

from attrs import evolve, frozen
from twisted.web.resource import IResource

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.generic.local import LocalRoutes
from regproxy.formats.generic.names import want_for
from regproxy.formats.generic.plan import plan
from regproxy.formats.generic.virtual import VirtualRoutes
from regproxy.model.access import Action
from regproxy.model.fetch import Fetch
from regproxy.model.patterns import Patterns
from regproxy.model.settings import RepositorySettings
from regproxy.model.want import Want
from regproxy.repo.interface import (
    Find,
    Missing,
    Refused,
    Serving,
    ServingSeveral,
    Text,
    Unavailable,
    is_hosting,
    is_virtual,
)
from regproxy.repo.interface_auto import AutoUrl
from regproxy.web.direct import Direct
from regproxy.web.errors import envelope, register
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text
from regproxy.web.root import new_app


@frozen(eq=False)
class Routes:
    """The addresses of one repository."""

    serving: Serving

    app = new_app()
    register(app, envelope)

    @app.route("/", methods=["GET", "HEAD"])
    @app.route("/<path:path>", methods=["GET", "HEAD"])
    async def file(self, request: ProxyRequest, path: str = "") -> None:  # noqa: ARG002 - the request has it undecoded
        """Serve a file."""
        passed = self.serving.repository.settings.propagate_query_params
        query = request.uri.partition(b"?")[2].decode("latin-1")
        want = want_for(request.rest, request.rest_slash, body=request.method == b"GET", query=query if passed else "")
        request.node = want.path
        self.serving.permit(request, Action.READ, want.upstream)
        if want.path != want.upstream:  # what hides a file hides it behind every query
            self.serving.permit(request, Action.READ, want.path)
        await self.serving.send(request, await self.serving.repository.resolve(want))

    @app.route("/<path:path>", methods=["DELETE"])
    async def forget(self, request: ProxyRequest, path: str) -> None:
        """Remove a file or folder from the cache; it is fetched again when somebody asks for it."""
        serving, path = self.serving, "/".join(request.rest)
        if serving.repository.key == serving.tree.key:
            text = f"{serving.tree.key} is what its upstream has: what is cached of it is deleted in {serving.tree.key}-cache"
            send_text(request, self._unserved(text))
            return
        if request.rest_slash or not all(request.rest[:-1]) or not path:
            raise RegproxyError(Kind.INVALID, "not the path of a file or a folder")
        request.node = path
        serving.permit(request, Action.DELETE, path)
        folder = f"{path.rstrip('/')}/"
        await serving.permit_below(request, Action.DELETE, folder)
        found = (path != folder and await serving.tree.remove(path)) or await serving.tree.remove(folder)
        gone = Text(b"", "text/plain", status=204)
        await serving.send(request, gone if found else Missing(f"{serving.repository.key} does not have it"))

    @app.route("/<path:path>", methods=["PUT", "POST", "PATCH"])
    async def deploy(self, request: ProxyRequest, path: str) -> None:  # noqa: ARG002 - nothing is deployed anywhere
        """Refuse an upload."""
        text = f"{self.serving.tree.key} is a remote repository, which has what its upstream has: nothing can be uploaded to it"
        send_text(request, self._unserved(text))

    def _unserved(self, text: str) -> Text:
        refusal = envelope(405, text)
        allowed = "GET, HEAD" if self.serving.repository.key == self.serving.tree.key else "DELETE, GET, HEAD"
        return evolve(refusal, headers=refusal.headers.plus(("allow", allowed)))


@frozen
class Generic:
    """``packageType = "generic"``."""

    package_types = frozenset({"generic"})
    rclasses = frozenset({"remote", "local", "virtual"})
    api = None
    auto: AutoUrl | None = None

    def resource(self, serving: Serving) -> IResource:
        """The resource of one repository."""
        if is_hosting(serving.repository):
            hosted = LocalRoutes(serving, serving.repository)
            return Direct(hosted.read, hosted.app.resource(), envelope)
        if is_virtual(serving.repository):
            several = VirtualRoutes(cast(ServingSeveral, serving))
            return Direct(several.read, several.app.resource(), envelope)
        routes = Routes(serving)
        return Direct(routes.file, routes.app.resource(), envelope)

    def mounts(self, find: Find) -> Mapping[bytes, IResource]:  # noqa: ARG002 - has none
        """No address of its own."""
        return {}

    def plan(self, want: Want, settings: RepositorySettings) -> Fetch:
        """How to get a file."""
        return plan(want, settings)

    def admits(self, patterns: Patterns, path: str) -> bool:
        """A path is what somebody called a file, whatever it begins with."""
        return patterns.admits(path)

    def failure(self, answer: Missing | Refused | Unavailable) -> Text:
        """Artifactory's envelope."""
        match answer:
            case Missing(reason, kept):
                text, later = envelope(404, reason), None
            case Refused(status, reason, kept):
                text, later = envelope(status, reason), None
            case Unavailable(status, reason, later, kept):
                text = envelope(status, reason)
        headers = (*text.headers.fields, *kept.fields)
        if later is not None:
            headers = (*headers, ("retry-after", str(later)))
        return evolve(text, headers=type(kept)(headers))


FORMAT = Generic()
