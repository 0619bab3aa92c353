"""The HTTP side of the server: the site, what it mounts, and the ports that it listens on."""

import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from attrs import define, field
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.posixbase import PosixReactorBase
from twisted.web.resource import IResource

from regproxy.admin.aql.answer import Answers
from regproxy.admin.archives import Archives
from regproxy.admin.declaring import Declaring
from regproxy.admin.looking import Looking
from regproxy.admin.probes import Checks, MetricsPage, Probe
from regproxy.admin.repository_routes import RepositoryRoutes
from regproxy.admin.routes import Api
from regproxy.admin.searching import Searches
from regproxy.admin.system import System
from regproxy.admin.trash import TrashCan
from regproxy.admission import Admission
from regproxy.ending import in_turn
from regproxy.entrance import Entrance
from regproxy.model.settings import Configuration, Server
from regproxy.records import Records
from regproxy.repo.interface import Format
from regproxy.stream.places import Places
from regproxy.telemetry.lag import Lag
from regproxy.telemetry.log import Asked
from regproxy.telemetry.metrics import Metrics
from regproxy.web.accel import Accel
from regproxy.web.catalog import Catalog
from regproxy.web.request import ProxyRequest
from regproxy.web.root import Root
from regproxy.web.site import ProxySite

Page = Callable[[], Awaitable[tuple[bytes, str]]]


@define(eq=False)
class Front:
    """Listens from ``listen`` to ``close``."""

    _reactor: PosixReactorBase
    _configuration: Configuration
    _catalog: Catalog
    _declaring: Declaring
    _looking: Looking
    _formats: Mapping[str, Format]
    _metrics: Metrics
    _page: Page
    _checks: Checks
    _collect: Callable[[], bool]
    _endpoints: Callable[[Server], Sequence[IStreamServerEndpoint]]
    _admission: Admission
    _entrance: Entrance
    _records: Records
    _ports: list[IListeningPort] = field(factory=list, init=False)
    _site: ProxySite | None = field(default=None, init=False)

    async def listen(self) -> None:
        """Open every port of the configuration, or none: the first that fails closes the others and is raised."""
        server = self._configuration.server
        lag = Lag(self._reactor)
        lag.start()
        text = "The event loop's worst lag of the last half minute."
        self._metrics.watch("regproxy_reactor_lag_seconds", text, lag.seconds, "largest")
        self._metrics.watch("regproxy_memory_blocks", "Blocks of memory that its objects take.", sys.getallocatedblocks)
        site = self._site = self._new_site()
        try:
            for endpoint in self._endpoints(server):
                self._ports.append(await endpoint.listen(site))
                site.doors.watch(self._ports[-1])
        except BaseException:
            await self.close()
            raise

    def add_port(self, listen: Callable[[IProtocolFactory], IListeningPort]) -> None:
        """Serve the same at one more port, from ``listen`` on until the others close."""
        assert self._site is not None
        self._ports.append(listen(self._site))

    def announce_end(self) -> None:
        """Tell clients with their next response that the connection ends."""
        if self._site is not None:
            self._site.is_ending = True

    async def close_ports(self) -> None:
        """Stop listening, at each of them."""
        ports, self._ports = self._ports, []
        if self._site is not None:
            self._site.doors.forget_ports()
        await in_turn(*(port.stopListening for port in ports))

    def close_idle(self) -> None:
        """Let go of whoever is idle."""
        if self._site is not None:
            self._site.close_idle()

    def responses(self) -> int:
        """How many requests are being answered."""
        return 0 if self._site is None else self._site.busy

    def cut(self) -> None:
        """Abort every connection."""
        if self._site is not None:
            self._site.cut()

    async def close(self) -> None:
        """Stop listening."""
        await self.close_ports()
        self.close_idle()

    def _new_site(self) -> ProxySite:
        admission = self._admission
        limits = admission.doors, admission.requests, admission.idle_seconds
        accel = Accel(self._configuration.server.accel_redirect.rstrip("/"))
        return ProxySite(self._root(admission.requests), self._reactor, self._record, *limits, accel)

    def _root(self, requests: Places) -> Root:
        gate = self._entrance.gate
        folder = self._configuration.server.data_dir
        system = System(self._catalog, gate, self._looking, lambda: shutil.disk_usage(folder), self._collect)
        searches, can = Searches(), TrashCan(self._catalog, gate)
        answers = Answers(gate, self._looking, self._reactor, searches)
        metrics = MetricsPage(self._page, self._catalog)
        archives = Archives(self._catalog, gate, self._configuration.archives, self._reactor)
        api = Api(self._catalog, answers, searches, self._looking, can, system, metrics, self._checks, archives)
        people, old_tokens = self._entrance.people(self._declaring.keys), self._entrance.old_tokens()
        repositories = RepositoryRoutes(self._catalog, self._entrance.gate, self._declaring).resource()
        fixed: dict[str, IResource] = {
            "api": api.resource(),
            "api/repositories": repositories,
            "api/v2/repositories": repositories,
            "api/security": people,
            "api/security/token": old_tokens,
            "api/security/apiKey": old_tokens,
            "api/v2": people,
            "access": self._entrance.tokens(),
            "access/v2": self._entrance.access_people(self._declaring.keys),
            "livez": Probe(dict),
            "readyz": Probe(self._checks),
            "startupz": Probe(self._checks),
            "metrics": metrics,
        }
        every = {id(each): each for each in self._formats.values()}.values()
        found = [(name.decode(), resource, each) for each in every for name, resource in each.mounts(self._catalog).items()]
        mounts = {name: resource for name, resource, _ in found}
        failures = {name: each.failure for name, _, each in found}
        words = {each.api: each.failure for each in every if each.api}
        sessions = self._entrance.sessions()
        identify, look = self._entrance.gate.identify, self._declaring.look
        return Root(self._catalog, fixed, mounts, failures, requests, identify, sessions, look, words)

    def _record(self, request: ProxyRequest) -> None:
        ended = self._reactor.seconds()
        self._metrics.requested(request.method.decode("ascii", "replace"), request.code, ended - request.began)
        if request.received:
            self._metrics.received(request.repository, request.received)
        if self._records.requests is None:
            return
        who = request.principal
        self._records.requests.write(
            Asked(
                ts=time.time(),  # the wall clock's: lines of several machines are put beside one another
                request_id=request.request_id,
                client=request.client_address,
                method=request.method.decode("ascii", "replace"),
                path=request.path.decode("latin-1"),
                status=request.code,
                bytes=request.sentLength,
                duration=round(ended - request.began, 6),
                ttfb=round(request.answered - request.began, 6) if request.answered else None,
                user=who.name if who is not None and who.is_user else "",
                token=who.token if who is not None else "",
                repository=request.repository,
                node=request.node,
                cache=request.origin,
                received=request.received,
                trace=request.cause.trace,
                user_agent=(request.getHeader("user-agent") or "")[:200],
            )
        )
