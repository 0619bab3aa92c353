"""What is done while calls go wrong: fills, a refresh, a replacement, an absence, a deletion and a durable put, through the
repository layer, the real store and the real index.

``work`` notes every step that has begun and every one that is done; ``check`` is the next start: recovery, verification, and
the same requests again.
"""

import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater

from regproxy.errors import RegproxyError
from regproxy.index.sqlite import SqliteIndex
from regproxy.model.fetch import Fetch
from regproxy.model.freshness import Freshness
from regproxy.model.head import Head
from regproxy.model.node import Node
from regproxy.model.patterns import Patterns
from regproxy.model.settings import Configuration, RepositorySettings
from regproxy.model.want import Shape, Want
from regproxy.repo.eviction import Eviction
from regproxy.repo.interface import Body, Missing
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
from tests.faults.crash.origin import CHUNKED, FIXED, MUTABLE, NEW, OLD
from tests.faults.crash.reading import Reading

FOREVER = 1_000_000
PUSHED = FIXED[:5000]
RIGHT: dict[str, tuple[bytes, ...]] = {
    "fixed": (FIXED,),
    "chunked": (CHUNKED,),
    "mutable": (MUTABLE,),
    "changing": (OLD, NEW),
}
WAITS = 200


class WrongBytesError(Exception):
    """A client was given a complete body that is not the one of upstream."""


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
    """As much of a server as stores something."""

    parts: Parts
    kept: Remote
    fresh: Remote

    async def get(self, name: str) -> str:
        """Ask as a client; ``right``, ``missing``, ``cut``, or why there is no body. ``WrongBytesError`` is the worst."""
        remote = self.fresh if name in ("mutable", "changing") else self.kept
        answer = await remote.resolve(Want(name, Shape.FILE))
        if isinstance(answer, Missing):
            return "missing"
        if not isinstance(answer, Body):
            return f"refused: {answer}"
        try:
            body = await Reading(answer.readable).whole()
        finally:
            answer.readable.release()
        for flight in remote.flights:
            await flight.landed()
        if body is not None and body not in RIGHT[name]:
            raise WrongBytesError(name)
        return "right" if body is not None else "cut"

    async def push(self) -> str:
        """What a push does: durable bytes, then the row, and only then is the client told."""
        name = hashlib.sha256(PUSHED).hexdigest()

        def store() -> None:
            writer = self.parts.store.create(len(PUSHED))
            try:
                writer.write_at(0, [PUSHED])
                writer.commit(name, durable=True)
            except BaseException:
                writer.abort()
                raise

        await self.parts.writers.run(store)
        await self.parts.index.put(Node("local", "pushed", name, len(PUSHED), Head(len(PUSHED))), synced=True)
        return "right"

    def pushed(self) -> bool:
        """Whether the push is there, whole."""
        node = self.parts.index.node("local", "pushed")
        reader = self.parts.store.open(node.sha256) if node else None
        if reader is None:
            return False
        data = os.pread(reader.fileno(), reader.size, 0)
        reader.close()
        return data == PUSHED

    async def delete(self, name: str) -> str:
        """Row, then blob: the other way round would leave a row without its blob."""
        index = self.parts.index
        node = index.node(self.kept.key, name)
        if node is None:
            return "missing"
        await index.remove(node.repository, node.path)
        if await index.forget(node.sha256):
            await self.parts.readers.run(lambda: self.parts.store.delete(node.sha256))
        return "right"

    async def settle(self) -> None:
        """Wait until what is made durable in the background is."""
        for _ in range(WAITS):
            with suppress(OSError):  # it is one of the calls that go wrong
                if not self.parts.index.unsynced():
                    return
            await _pause(self.parts, 0.01)


def _pause(parts: Parts, seconds: float) -> "Deferred[None]":
    return deferLater(parts.clock, seconds, lambda: None)


@asynccontextmanager
async def server(reactor: Any, run: Run) -> AsyncIterator[Server]:
    """Start as the service does, and close."""
    store = DiskStore(run.data_dir / "store")
    index = SqliteIndex(run.data_dir / "index.sqlite", reactor)
    pools = WriterPool(reactor, 2), WriterPool(reactor, 1)
    metrics = Metrics()
    eviction = Eviction(store, index, pools[1], metrics)
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
    remotes = [_remote(reactor, parts, shelf, key, period, run.url) for key, period in (("kept", FOREVER), ("fresh", 0))]
    try:
        yield Server(parts, *remotes)
    finally:
        for remote in remotes:
            await remote.close()
        parts.parking.close()
        await index.close()


def _remote(reactor: Any, parts: Parts, shelf: Shelf, key: str, period: int, url: str) -> Remote:
    settings = RepositorySettings(key=key, rclass="remote", url=url, retrieval_cache_period_secs=period, disable_proxy=True)
    upstream = make_upstream(reactor, settings, Configuration())
    return Remote(settings, Plain(), upstream, parts, shelf)  # type: ignore[arg-type] # the rest of a format is for the web


@define(eq=False)
class Journal:
    """Steps that began and were done, in a file that survives a kill."""

    _path: Path
    lines: list[str] = field(factory=list)

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


async def start(reactor: Any, run: Run) -> None:
    """Make folders and tables, and stop."""
    async with server(reactor, run):
        pass


async def work(reactor: Any, run: Run) -> None:
    """All steps, then all requests once more, and the end."""
    journal = Journal(run.journal)
    async with server(reactor, run) as made:
        crowd = [_round(made, journal) for _ in range(run.clients)]
        outcomes: list[tuple[bool, Any]] = await DeferredList([Deferred.fromCoroutine(client) for client in crowd])
        for ended, outcome in outcomes:
            if not ended:
                outcome.raiseException()
        for name in RIGHT:
            await journal.step(f"again {name}", lambda name=name: made.get(name))  # type: ignore[misc] # mypy and defaults
        await made.settle()


async def _round(made: Server, journal: Journal) -> None:
    for name in ("fixed", "chunked", "missing", "mutable", "changing"):
        await journal.step(name, lambda name=name: made.get(name))  # type: ignore[misc] # as above
    await made.settle()
    await journal.step("refresh", lambda: made.get("mutable"))
    await journal.step("replace", lambda: made.get("changing"))
    await journal.step("delete", lambda: made.delete("chunked"))
    await journal.step("push", made.push)


async def check(reactor: Any, run: Run) -> dict[str, Any]:
    """The next start: what is wrong, what each request is answered, whether the push is there, what is wrong then."""
    async with server(reactor, run) as made:
        before = await _violations(made.parts)
        pushed = made.pushed()
        answers = {name: await made.get(name) for name in (*RIGHT, "missing")}
        await made.settle()
        after = await _violations(made.parts)
    quarantined = len(list((run.data_dir / "store" / "quarantine").iterdir()))
    return {"before": before, "after": after, "answers": answers, "pushed": pushed, "quarantined": quarantined}


async def _violations(parts: Parts) -> list[str]:
    report = await Verification(parts, Pace(parts.clock), repair=False, strict=True).run()
    return [f"{finding.trouble.value} {finding.name} {finding.detail}" for finding in report.violations]
