"""The REST API below ``/api/``: system, storage and searches, in the shapes that scripts of this field rely on."""

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import evolve, frozen
from klein import Klein
from twisted.web.resource import IResource

from regproxy import __version__
from regproxy.admin.aql.answer import Answers
from regproxy.admin.archives import Archives
from regproxy.admin.looking import Looking
from regproxy.admin.probes import Checks, MetricsPage
from regproxy.admin.search import Search
from regproxy.admin.searching import Searches
from regproxy.admin.storage import Storage, render
from regproxy.admin.system import System
from regproxy.admin.times import TimeSearch
from regproxy.admin.transfers import Transfers
from regproxy.admin.trash import TrashCan
from regproxy.model.level import LEVEL
from regproxy.repo.interface import Text
from regproxy.web.catalog import Catalog
from regproxy.web.errors import envelope, register
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text
from regproxy.web.root import new_app

VERSION = {"version": LEVEL, "revision": "", "addons": [], "license": "Apache-2.0", "regproxy": __version__}


@frozen(eq=False)
class Api:
    """The routes."""

    _catalog: Catalog
    _answers: Answers
    _searches: Searches
    _looking: Looking
    _trash: TrashCan
    _system: System
    _metrics: MetricsPage
    _checks: Checks
    _archives: Archives

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
        send_text(request, render(VERSION))

    @app.route("/system", methods=["GET"])
    async def about(self, request: ProxyRequest) -> None:
        """Say more of it."""
        send_text(request, self._system.about(request))

    @app.route("/system/configuration", methods=["GET"])
    async def configuration(self, request: ProxyRequest) -> None:
        """Show how it is set up."""
        send_text(request, self._system.configuration(request))

    @app.route("/system/storage/gc", methods=["POST"])
    async def collect(self, request: ProxyRequest) -> None:
        """Collect what nothing points to."""
        send_text(request, self._system.collect(request))

    @app.route("/v1/system/liveness", methods=["GET"])
    async def alive(self, request: ProxyRequest) -> None:
        """Say that the server answers, as newer probes ask."""
        send_text(request, render({"code": "OK"}))

    @app.route("/v1/system/readiness", methods=["GET"])
    async def ready(self, request: ProxyRequest) -> None:
        """Say whether it is of use."""
        failed = ", ".join(name for name, held in self._checks().items() if held is False)
        send_text(request, envelope(503, f"not ready: {failed}") if failed else render({"code": "OK"}))

    @app.route("/storageinfo", methods=["GET"])
    async def holdings(self, request: ProxyRequest) -> None:
        """Say how much there is."""
        send_text(request, await self._system.storage(request))

    @app.route("/storageinfo/calculate", methods=["POST"])
    async def count(self, request: ProxyRequest) -> None:
        """Nothing has to be begun: it is counted when somebody asks."""
        self._system.about(request)
        send_text(request, evolve(render({"info": "Numbers are counted when they are asked for."}), status=202))

    @app.route("/v1/metrics", methods=["GET"])
    async def metrics(self, request: ProxyRequest) -> None:
        """Show them at the address that scrapers of this API know, too."""
        send_text(request, await self._metrics.text(request))

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

    @app.route("/copy/<key>", methods=["POST"])
    @app.route("/copy/<key>/<path:path>", methods=["POST"])
    async def copy(self, request: ProxyRequest, key: str, path: str = "") -> None:  # noqa: ARG002 - as above
        """Put a file or folder somewhere else, too."""
        send_text(request, await Transfers(self._catalog).run(request, moves=False))

    @app.route("/move/<key>", methods=["POST"])
    @app.route("/move/<key>/<path:path>", methods=["POST"])
    async def move(self, request: ProxyRequest, key: str, path: str = "") -> None:  # noqa: ARG002 - as above
        """Put a file or folder somewhere else instead."""
        send_text(request, await Transfers(self._catalog).run(request, moves=True))

    @app.route("/archive/download/<key>", methods=["GET"])
    @app.route("/archive/download/<key>/<path:path>", methods=["GET"])
    async def pack(self, request: ProxyRequest, key: str, path: str = "") -> None:  # noqa: ARG002 - as above
        """Send a folder as one file."""
        await self._archives.send(request)

    @app.route("/trash/restore/<path:path>", methods=["POST"])
    async def restore(self, request: ProxyRequest, path: str) -> None:  # noqa: ARG002 - as above
        """Put back what was deleted."""
        send_text(request, await self._trash.restore(request))

    @app.route("/trash/empty", methods=["POST"])
    async def empty(self, request: ProxyRequest) -> None:
        """Remove all that was deleted for good."""
        send_text(request, await self._trash.empty(request))

    @app.route("/trash/clean/<path:path>", methods=["DELETE"])
    async def clean(self, request: ProxyRequest, path: str) -> None:  # noqa: ARG002 - as above
        """Remove some of it for good."""
        send_text(request, await self._trash.clean(request))

    @app.route("/search/artifact", methods=["GET"])
    async def by_name(self, request: ProxyRequest) -> None:
        """Find files by name."""
        await self._search(request, Search(self._catalog).by_name)

    @app.route("/search/aql", methods=["POST"])
    async def by_query(self, request: ProxyRequest) -> None:
        """Find files and folders by a query."""
        send_text(request, await self._answers.answer(request))

    @app.route("/search/creation", methods=["GET"])
    async def by_creation(self, request: ProxyRequest) -> None:
        """Find files that were made between two times."""
        await self._search(request, TimeSearch(self._looking).by_creation)

    @app.route("/search/dates", methods=["GET"])
    async def by_dates(self, request: ProxyRequest) -> None:
        """Find files to which something happened between two times."""
        await self._search(request, TimeSearch(self._looking).by_dates)

    @app.route("/search/usage", methods=["GET"])
    async def by_usage(self, request: ProxyRequest) -> None:
        """Find files that nobody has downloaded of late."""
        await self._search(request, TimeSearch(self._looking).by_usage)

    @app.route("/search/pattern", methods=["GET"])
    async def by_pattern(self, request: ProxyRequest) -> None:
        """Find files of one repository by a pattern."""
        await self._search(request, TimeSearch(self._looking).by_pattern)

    @app.route("/search/checksum", methods=["GET"])
    async def by_checksum(self, request: ProxyRequest) -> None:
        """Find files by checksum."""
        await self._search(request, Search(self._catalog).by_checksum)

    @app.route("/search/badChecksum", methods=["GET"])
    async def by_bad_checksum(self, request: ProxyRequest) -> None:
        """Find files whose bytes are not what their client said."""
        send_text(request, Search(self._catalog).by_bad_checksum(request))

    @app.route("/search/prop", methods=["GET"])
    async def by_property(self, request: ProxyRequest) -> None:
        """Find files and folders by properties."""
        await self._search(request, Search(self._catalog).by_property)

    async def _search(self, request: ProxyRequest, search: Callable[[ProxyRequest], Coroutine[Any, Any, Text]]) -> None:
        send_text(request, await self._searches.run(request, lambda: search(request)))
