"""As much of a server as the workloads need: the real store, index and repositories, started and stopped as the service does."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from attrs import define, frozen
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater

from regproxy.errors import RegproxyError
from regproxy.index.sqlite import SqliteIndex
from regproxy.index.sqlite_holdings import SqliteHoldings
from regproxy.model.fetch import Fetch
from regproxy.model.freshness import Freshness
from regproxy.model.patterns import Patterns
from regproxy.model.settings import Configuration, RepositorySettings
from regproxy.model.want import Want
from regproxy.repo.eviction import Eviction
from regproxy.repo.interface import Body, Missing, Repository
from regproxy.repo.local import Local
from regproxy.repo.parts import Parts
from regproxy.repo.remote import Remote
from regproxy.repo.room import Room
from regproxy.repo.shelf import Shelf
from regproxy.store.disk import DiskStore
from regproxy.stream.pool import WriterPool
from regproxy.stream.rehash import Pace
from regproxy.telemetry.metrics import Metrics
from regproxy.upkeep.verification import Verification
from regproxy.upstream.client import make_upstream
from tests.faults.crash.reading import Reading

FOREVER = 1_000_000
WAITS = 50
LOCAL = "local"


@frozen
class Run:
    """Where one run works: its data directory, its journal (outside of it), its path of the upstream."""

    data_dir: Path
    journal: Path
    url: str
    clients: int = 1


class Plain:
    """As much of a format as a remote asks for; the shipped ones import Klein, which installs a reactor before the fork."""

    package_types = frozenset({"generic"})

    def plan(self, want: Want, settings: RepositorySettings) -> Fetch:
        """The same path below the upstream's URL; how long it is fresh, the settings say."""
        return Fetch(f"{settings.url}/{want.path}", Freshness(0.0, negative=float(FOREVER)))

    def admits(self, patterns: Patterns, path: str) -> bool:
        """Paths are those of files."""
        return patterns.admits(path)


@define(eq=False)
class Server:
    """Two remotes of one upstream, whose answers are fresh for ever and never, and a local repository."""

    parts: Parts
    eviction: Eviction
    kept: Remote
    fresh: Remote
    local: Local

    async def settle(self) -> None:
        """Wait until what is made durable in the background is."""
        for _ in range(WAITS):
            with suppress(OSError):  # it is one of the calls that go wrong
                if not self.parts.index.unsynced():
                    return
            await deferLater(self.parts.clock, 0.01, lambda: None)

    async def violations(self, *, is_collected: bool = False) -> list[str]:
        """What a strict verification finds; garbage as well, if there should be none."""
        report = await Verification(self.parts, Pace(self.parts.clock), repair=False, strict=True).run()
        findings = report.findings if is_collected else report.violations
        return [f"{finding.trouble.value} {finding.name} {finding.detail}" for finding in findings]


@asynccontextmanager
async def server(reactor: Any, run: Run) -> AsyncIterator[Server]:
    """Start as the service does, and close."""
    store = DiskStore(run.data_dir / "store")
    index = SqliteIndex(run.data_dir / "index.sqlite", reactor)
    pools = WriterPool(reactor, 2), WriterPool(reactor, 1)
    metrics = Metrics()
    eviction = Eviction(store, index, pools[1], metrics, frozenset({LOCAL}))
    room = Room(store, index, pools[0], pools[1], reactor, metrics, eviction)
    parts = Parts(store, index, *pools, reactor, metrics, room)
    store.recover(parts.parking.bounds)
    index.start()
    parts.parking.load()
    for pool in pools:
        pool.start()
    shelf = Shelf(parts)
    if not index.was_clean:
        shelf.suspect()
    kept = _remote(reactor, parts, shelf, "kept", FOREVER, run.url)
    fresh = _remote(reactor, parts, shelf, "fresh", 0, run.url)
    local = Local(RepositorySettings(key=LOCAL, rclass="local"), parts, SqliteHoldings(index), shelf)
    try:
        yield Server(parts, eviction, kept, fresh, local)
    finally:
        for remote in (kept, fresh):
            await remote.close()
        parts.parking.close()
        room.close()
        await index.close()


def _remote(reactor: Any, parts: Parts, shelf: Shelf, key: str, period: int, url: str) -> Remote:
    settings = RepositorySettings(key=key, rclass="remote", url=url, retrieval_cache_period_secs=period, disable_proxy=True)
    upstream = make_upstream(reactor, settings, Configuration())
    return Remote(settings, Plain(), upstream, parts, shelf)  # type: ignore[arg-type] # the rest of a format is for the web


async def asked(repository: Repository, want: Want) -> bytes | str | None:
    """Ask as a client: a whole body; None if it was cut; ``missing``, or why there is none."""
    answer = await repository.resolve(want)
    if isinstance(answer, Missing):
        return "missing"
    if not isinstance(answer, Body):
        return f"refused: {answer}"
    try:
        return await Reading(answer.readable).whole()
    finally:
        answer.readable.release()


@frozen
class Journal:
    """Steps that began and were done, in a file that survives a kill."""

    _path: Path

    async def step(self, name: str, work: Callable[[], Awaitable[str]]) -> None:
        """Do one; a refusal is an outcome, not an end."""
        self.note(f"begun {name}")
        try:
            outcome = await work()
        except (RegproxyError, OSError) as error:
            outcome = f"failed: {error!r}"
        self.note(f"{'done' if outcome in ('right', 'missing') else 'not'} {name} {outcome}")

    def note(self, line: str) -> None:
        """Write a line."""
        with self._path.open("a") as file:
            file.write(line.replace("\n", " ") + "\n")

    def lines(self) -> list[str]:
        """All of them."""
        return self._path.read_text().splitlines() if self._path.exists() else []


async def crowd(run: Run, client: Callable[[int], Awaitable[None]]) -> None:
    """Let all clients do the same at once; what one of them raises ends the run when all have ended."""
    outcomes: list[tuple[bool, Any]] = await DeferredList([_begun(client, number) for number in range(run.clients)])
    for ended, outcome in outcomes:
        if not ended:
            outcome.raiseException()


def _begun(client: Callable[[int], Awaitable[None]], number: int) -> "Deferred[None]":
    async def begin() -> None:
        await client(number)

    return Deferred.fromCoroutine(begin())


async def start(reactor: Any, run: Run) -> None:
    """Make folders and tables, and stop."""
    async with server(reactor, run):
        pass
