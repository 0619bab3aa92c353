"""The REST API and the probes over a socket."""

import json
from typing import Any, cast

import pytest
import pytest_twisted
from attrs import define, frozen
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from twisted.internet.defer import succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock

from regproxy import __version__
from regproxy.access.principal import Principal
from regproxy.access.scopes import METRICS, Scope
from regproxy.admin.aql.answer import Answers
from regproxy.admin.probes import MetricsPage, Probe
from regproxy.admin.repository_routes import RepositoryRoutes
from regproxy.admin.routes import Api
from regproxy.admin.searching import Searches
from regproxy.admin.trash import TrashCan
from regproxy.errors import Kind, RegproxyError
from regproxy.model.level import LEVEL
from regproxy.model.settings import Docker, RepositorySettings
from regproxy.repo.interface import Text
from regproxy.telemetry.metrics import Metrics
from regproxy.web.catalog import Catalog, Table
from regproxy.web.request import ProxyRequest
from regproxy.web.root import Root
from tests.fakes.declared import declared
from tests.fakes.gates import gate_of, guard_of
from tests.fakes.site import Client, Reply, Stage


@frozen(eq=False)
class Held:
    """As much of a repository as the API looks at."""

    settings: RepositorySettings


@frozen(eq=False)
class Served:
    """As much of what is served."""

    repository: Held
    format: Any = None

    def seen_by(self, request: Any) -> "Served":
        """By everybody."""
        return self


class NoApi:
    """A format without a word of its own."""

    api = None


def root(*, ready: bool = True, principal: Principal | None = None, searches: Searches | None = None) -> Root:
    """The API over one repository, for one who asks."""
    settings = RepositorySettings(key="r", rclass="remote", url="https://up.example", password="5ecret")
    catalog = Catalog(guard_of())
    catalog.swap(Table({"r": cast(Any, Served(Held(settings), NoApi()))}, {}, Docker()))
    unasked: Any = None
    numbers = Metrics()
    numbers.told("partner", "delivered")
    metrics = MetricsPage(lambda: succeed(numbers.render()), catalog)
    api = Api(
        catalog,
        Answers(gate_of(), unasked, cast(IReactorTime, Clock()), searches or Searches()),
        searches or Searches(),
        unasked,
        TrashCan(catalog, gate_of()),
        unasked,
        metrics,
        lambda: {"store": ready},
        unasked,
    )
    fixed: Any = {
        "api": api.resource(),
        "api/repositories": RepositoryRoutes(catalog, gate_of(), declared()).resource(),
        "livez": Probe(dict),
        "readyz": Probe(lambda: {"index": True, "store": ready}),
        "metrics": metrics,
    }

    def identify(request: ProxyRequest) -> None:
        request.principal = principal

    return Root(catalog, fixed, {}, identify=identify)


async def ask(target: str, method: str = "GET", *, ready: bool = True, principal: Principal | None = None) -> Reply:
    """One request."""

    def work(client: Client) -> Reply:
        client.send(f"{method} {target} HTTP/1.1\r\nHost: here:1\r\n\r\n".encode())
        return client.reply(head=method == "HEAD")

    async with Stage(root(ready=ready, principal=principal)) as stage:
        return cast(Reply, await stage.ask(work))


@pytest_twisted.ensureDeferred
async def test_ping() -> None:
    """With the prefix and without."""
    for target in ("/api/system/ping", "/artifactory/api/system/ping"):
        reply = await ask(target)
        assert (reply.status, reply.body) == (200, b"OK")


@pytest_twisted.ensureDeferred
async def test_version() -> None:
    """That of the API, by which clients choose their calls, and ours; each answer of the API says both."""
    reply = await ask("/api/system/version")
    told = json.loads(reply.body)
    assert (LEVEL, __version__) == (told["version"], told["regproxy"])
    assert f"Artifactory/{LEVEL} regproxy/{__version__}" == reply.headers["x-jfrog-version"]


@pytest_twisted.ensureDeferred
async def test_newer_probes() -> None:
    """Alive, and ready while no check fails."""
    for word in ("liveness", "readiness"):
        assert {"code": "OK"} == json.loads((await ask(f"/api/v1/system/{word}")).body)
    reply = await ask("/artifactory/api/v1/system/readiness", ready=False)
    assert (503, "not ready: store") == (reply.status, json.loads(reply.body)["errors"][0]["message"])


@pytest_twisted.ensureDeferred
async def test_repositories() -> None:
    """URLs lead back the way that the client came."""
    listed = json.loads((await ask("/artifactory/api/repositories?type=remote")).body)
    assert [(entry["key"], entry["url"]) for entry in listed] == [("r", "http://here:1/artifactory/r")]
    assert json.loads((await ask("/api/repositories?packageType=pypi")).body) == []


@pytest_twisted.ensureDeferred
async def test_one_repository() -> None:
    """Its configuration, without secrets; one that does not exist is a bad request."""
    reply = await ask("/api/repositories/r")
    assert (reply.status, json.loads(reply.body)["key"]) == (200, "r")
    assert b"5ecret" not in reply.body
    missing = await ask("/api/repositories/x")
    assert (missing.status, json.loads(missing.body)["errors"][0]["status"]) == (400, 400)


@pytest_twisted.ensureDeferred
async def test_what_is_not_served() -> None:
    """404 and 405 are envelopes too."""
    reply = await ask("/api/nothing")
    assert (reply.status, json.loads(reply.body)["errors"][0]["status"]) == (404, 404)
    for path, method in (("/api/system/ping", "DELETE"), ("/livez", "POST"), ("/metrics", "PUT")):
        refused = await ask(path, method)
        assert (refused.status, "GET" in refused.headers["allow"]) == (405, True)


@pytest_twisted.ensureDeferred
async def test_probes() -> None:
    """Only a failed check makes 503, which says which; ``verbose`` says the others too."""
    assert (await ask("/livez")).status == 200
    assert (await ask("/readyz")).status == 200
    assert (await ask("/readyz", ready=False)).body == b"FAILED store\nnot ready\n"
    failed = await ask("/readyz?verbose", ready=False)
    assert (failed.status, failed.body) == (503, b"ok index\nFAILED store\nnot ready\n")


@pytest_twisted.ensureDeferred
async def test_metrics() -> None:
    """A scraper can read the page."""
    for path in ("/metrics", "/artifactory/api/v1/metrics"):
        reply = await ask(path)
        assert reply.status == 200
        assert any(family.name == "regproxy_http_requests" for family in text_string_to_metric_families(reply.body.decode()))


ASKING: list[Any] = [
    (None, False),
    (Principal("ann", "ann"), False),
    (Principal("root", "root", admin=True), True),
    (Principal("root", "root", admin=True, scope=Scope.of(METRICS)), True),
    (Principal("root", "root", admin=True, scope=Scope.of("artifact:r:r")), False),
]


@pytest.mark.parametrize(("principal", "sees"), ASKING)
@pytest_twisted.ensureDeferred
async def test_whom_the_server_tells(principal: Principal | None, sees: bool) -> None:  # noqa: FBT001 - the expectation
    """The names of webhooks are administrators', as webhooks are."""
    page = (await ask("/metrics", principal=principal)).body.decode()
    assert sees is ('webhook="partner"' in page)
    assert "# TYPE regproxy_webhook_deliveries counter" in page


SEARCHES = (
    "artifact?name=a",
    "checksum?sha256=a",
    "prop?a=b",
    "creation?from=1",
    "dates?from=1",
    "usage?notUsedSince=1",
    "pattern",
)


@pytest_twisted.ensureDeferred
async def test_every_search_waits_for_its_turn() -> None:
    """And is refused, in words, with when to come again, where too many wait."""

    @define(eq=False)
    class Full(Searches):
        async def run(self, request: ProxyRequest, search: object) -> Text:
            raise RegproxyError(Kind.UPSTREAM_BUSY, "too many", retry_after=5)

    def work(client: Client) -> list[Reply]:
        for each in SEARCHES:
            client.send(f"GET /api/search/{each} HTTP/1.1\r\nHost: here:1\r\n\r\n".encode())
        client.send(b"POST /api/search/aql HTTP/1.1\r\nHost: here:1\r\nContent-Length: 12\r\n\r\nitems.find()")
        return [client.reply() for _ in range(len(SEARCHES) + 1)]

    async with Stage(root(searches=Full(), principal=Principal("root", "root", admin=True))) as stage:
        replies = cast(list[Reply], await stage.ask(work))
    assert [(429, "5")] * 8 == [(reply.status, reply.headers["retry-after"]) for reply in replies]
