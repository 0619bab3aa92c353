"""The REST API below ``/api/``: system, repositories, storage and searches, in the shapes that scripts of this field rely on."""

from attrs import frozen
from klein import Klein
from twisted.web.resource import IResource

from regproxy import __version__
from regproxy.admin.repositories import configuration, listing
from regproxy.admin.search import Search
from regproxy.admin.storage import Storage, render
from regproxy.repo.interface import Text
from regproxy.web.addresses import BaseUrl
from regproxy.web.catalog import Catalog
from regproxy.web.errors import envelope, register
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text
from regproxy.web.root import new_app


def _argument(request: ProxyRequest, name: bytes) -> str:
    values = request.args.get(name) or [b""]
    return bytes(values[0]).decode("utf-8", "replace")


@frozen(eq=False)
class Api:
    """The routes."""

    _catalog: Catalog
    _base_url: BaseUrl

    app = new_app()
    register(app, envelope)

    def resource(self) -> IResource:
        """To be mounted at ``/api``."""
        bound: Klein = self.app
        return bound.resource()

    @app.route("/system/ping", methods=["GET"])
    async def ping(self, request: ProxyRequest) -> None:
        """Say that the server answers."""
        send_text(request, Text(b"OK", "text/plain"))

    @app.route("/system/version", methods=["GET"])
    async def version(self, request: ProxyRequest) -> None:
        """Say what this is."""
        send_text(request, render({"version": __version__, "revision": "", "addons": [], "license": "Apache-2.0"}))

    @app.route("/repositories", methods=["GET"])
    async def repositories(self, request: ProxyRequest) -> None:
        """List the repositories."""
        every = [served.repository.settings for served in self._catalog if served.seen_by(request) is not None]
        send_text(
            request,
            render(listing(every, self._base_url(request), _argument(request, b"type"), _argument(request, b"packageType"))),
        )

    @app.route("/repositories/<key>", methods=["GET"])
    async def repository(self, request: ProxyRequest, key: str) -> None:
        """Show one configuration; a repository that does not exist is a bad request, as scripts expect."""
        served = self._catalog(key)
        if served is not None and served.seen_by(request) is not None:
            send_text(request, render(configuration(served.repository.settings)))
        elif self._catalog.admits(request):
            send_text(request, envelope(400, f"there is no repository {key!a}"))
        else:
            raise self._catalog.unknown(request, key)

    @app.route("/v1/uploads/config", methods=["GET"])
    async def uploads(self, request: ProxyRequest) -> None:
        """Say that large files come in one piece."""
        send_text(request, render({"supported": False}))

    @app.route("/storage/<key>", methods=["GET", "HEAD"])
    @app.route("/storage/<key>/", methods=["GET", "HEAD"])
    @app.route("/storage/<key>/<path:path>", methods=["GET", "HEAD"])
    async def storage(self, request: ProxyRequest, key: str, path: str = "") -> None:  # noqa: ARG002 - the request has them undecoded
        """Describe a file or a folder."""
        send_text(request, await Storage(self._catalog).read(request))

    @app.route("/storage/<key>", methods=["PUT"])
    @app.route("/storage/<key>/<path:path>", methods=["PUT"])
    async def annotate(self, request: ProxyRequest, key: str, path: str = "") -> None:  # noqa: ARG002 - as above
        """Set properties."""
        send_text(request, await Storage(self._catalog).annotate(request))

    @app.route("/storage/<key>", methods=["DELETE"])
    @app.route("/storage/<key>/<path:path>", methods=["DELETE"])
    async def strip(self, request: ProxyRequest, key: str, path: str = "") -> None:  # noqa: ARG002 - as above
        """Remove properties."""
        send_text(request, await Storage(self._catalog).strip(request))

    @app.route("/metadata/<key>", methods=["PATCH"])
    @app.route("/metadata/<key>/<path:path>", methods=["PATCH"])
    async def change(self, request: ProxyRequest, key: str, path: str = "") -> None:  # noqa: ARG002 - as above
        """Set and remove properties."""
        send_text(request, await Storage(self._catalog).change(request))

    @app.route("/search/artifact", methods=["GET"])
    async def by_name(self, request: ProxyRequest) -> None:
        """Find files by name."""
        send_text(request, await Search(self._catalog).by_name(request))

    @app.route("/search/checksum", methods=["GET"])
    async def by_checksum(self, request: ProxyRequest) -> None:
        """Find files by checksum."""
        send_text(request, await Search(self._catalog).by_checksum(request))

    @app.route("/search/prop", methods=["GET"])
    async def by_property(self, request: ProxyRequest) -> None:
        """Find files and folders by properties."""
        send_text(request, await Search(self._catalog).by_property(request))
