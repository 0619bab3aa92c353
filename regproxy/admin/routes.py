"""The REST API below ``/api/``: system and repositories, in the shapes that scripts of this field rely on."""

import msgspec
from attrs import frozen
from klein import Klein
from twisted.web.resource import IResource

from regproxy import __version__
from regproxy.admin.repositories import configuration, listing
from regproxy.repo.interface import Text
from regproxy.web.addresses import BaseUrl
from regproxy.web.catalog import Catalog
from regproxy.web.errors import envelope, register
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text
from regproxy.web.root import new_app


def _json(value: object) -> Text:
    return Text(msgspec.json.format(msgspec.json.encode(value), indent=2), "application/json")


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
        send_text(request, _json({"version": __version__, "revision": "", "addons": [], "license": "Apache-2.0"}))

    @app.route("/repositories", methods=["GET"])
    async def repositories(self, request: ProxyRequest) -> None:
        """List the repositories."""
        every = [served.repository.settings for served in self._catalog]
        send_text(
            request,
            _json(listing(every, self._base_url(request), _argument(request, b"type"), _argument(request, b"packageType"))),
        )

    @app.route("/repositories/<key>", methods=["GET"])
    async def repository(self, request: ProxyRequest, key: str) -> None:
        """Show one configuration; a repository that does not exist is a bad request, as scripts expect."""
        served = self._catalog(key)
        send_text(
            request,
            envelope(400, f"there is no repository {key!a}")
            if served is None
            else _json(configuration(served.repository.settings)),
        )
