"""Builds regproxy from a configuration: the only place, with ``config`` and ``tap``, that knows concrete classes.

``make_service`` reads the configuration and locks the data directory, so that mistakes end the program before anything
listens. ``Regproxy`` is the running service: threads, index, ports, repositories. SIGHUP reads the configuration again
(``reload``), SIGTERM drains (``drain``), a second one ends at once.
"""

import os
import signal
from pathlib import Path

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorCore
from twisted.internet.posixbase import PosixReactorBase
from twisted.web.resource import Resource
from txaio.tx import make_logger

from regproxy import keeping
from regproxy.admin.looking import Looking
from regproxy.admission import Admission
from regproxy.allocator import keep_buffers
from regproxy.auto import resolve, run_program
from regproxy.backup import Backup
from regproxy.config import load
from regproxy.control import Control, Draining, DrainSwitch, Told
from regproxy.declared import Declared
from regproxy.drain import Drain
from regproxy.ending import in_turn
from regproxy.entrance import Entrance
from regproxy.errors import RegproxyError
from regproxy.fetches import Fetches
from regproxy.formats_found import find_formats
from regproxy.front import Front
from regproxy.hangups import take_hangups
from regproxy.index.sqlite_declarations import SqliteDeclarations
from regproxy.index.sqlite_findings import SqliteFindings
from regproxy.index.sqlite_holdings import SqliteHoldings
from regproxy.index.sqlite_outbox import SqliteOutbox
from regproxy.jobs import Job, Jobs
from regproxy.lock import DataDirLock
from regproxy.long_work import backing_up, verifying
from regproxy.model.settings import Configuration, RepositorySettings, Store
from regproxy.model.size import parse_size
from regproxy.notify import Notify
from regproxy.offline import INDEX, STORE
from regproxy.records import Records
from regproxy.refusal import fail_at_exit, refusals
from regproxy.reload import Reload
from regproxy.repo.doubts import Doubts
from regproxy.repo.eviction import Eviction
from regproxy.repo.parking import Parking
from regproxy.repo.parts import Parts
from regproxy.repo.room import Room
from regproxy.repo.shelf import Shelf
from regproxy.repositories import Repositories, Shared
from regproxy.repository_commands import RepositoryCommands
from regproxy.side_door import SideDoor
from regproxy.standing import Alone, Logging, Standing
from regproxy.steady import steady
from regproxy.store.disk import DiskStore
from regproxy.stream.follower import Sending
from regproxy.stream.pool import WriterPool
from regproxy.stream.spawn import spawn
from regproxy.telemetry.metrics import Metrics
from regproxy.telling import Telling
from regproxy.upkeep.adoption import adopt
from regproxy.upkeep.garbage import OnDemand
from regproxy.upkeep.leftovers import FIRST_SECONDS as LEFTOVERS_FIRST
from regproxy.upkeep.leftovers import Leftovers
from regproxy.upkeep.scrub import Scrub
from regproxy.upstream.client import make_upstream
from regproxy.upstream.interface import Upstream

log = make_logger()

READERS = 4
SYNCS = 4
SYNCS_STACK = 256 << 10  # they call the kernel, and a little around it
LIKE_TWIST = Logging()
SCRUB_AFTER = 300.0


def make_service(path: str | Path, logging: Logging = LIKE_TWIST) -> Service:
    """Read the configuration and lock its data directory; ``ConfigurationError`` and ``LockedError`` say what is wrong."""
    from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

    configuration = load(path)
    data_dir = Path(configuration.server.data_dir).absolute()
    lock = DataDirLock.acquire(data_dir)
    steady(reactor)  # type: ignore[arg-type] # a module to mypy
    if configuration.server.workers > 1:
        from regproxy.supervisor.service import Supervisor  # noqa: PLC0415 - one process needs nothing of it

        return Supervisor(reactor, Path(path), configuration, data_dir, lock, logging)  # type: ignore[arg-type] # as above
    standing = Alone(reactor, Path(path), data_dir, lock)  # type: ignore[arg-type] # as above
    return Regproxy(reactor, configuration, data_dir, standing)  # type: ignore[arg-type] # as above


class Regproxy(Service):
    """The running server."""

    def __init__(self, reactor: PosixReactorBase, configuration: Configuration, data_dir: Path, standing: Standing) -> None:
        self._reactor, self._standing = reactor, standing
        self._notify = Notify.of(reactor, os.environ)
        self._metrics = Metrics()
        self._records = Records.of(reactor, configuration.log, self._metrics)
        self._admission = Admission.of(configuration, self._metrics)
        self._writers = WriterPool(reactor, os.cpu_count() or 1)
        self._readers, self._syncs = WriterPool(reactor, READERS), WriterPool(reactor, SYNCS, SYNCS_STACK)
        self._index = standing.index(data_dir / INDEX)
        self._store = DiskStore(data_dir / STORE)
        self._formats = find_formats()
        self._parking = self._make_parking(configuration.store)
        self._rescue = WriterPool(reactor, 1)
        self._room = self._make_room(keeping.limit_of(configuration.store))
        self._held = parts = self._parts(configuration.server.workers)
        store = configuration.store
        self._shelf = Shelf(parts, Doubts(parts, store.verify_reads, store.verify_share))
        sendfile = configuration.server.sendfile == "auto"
        sending = Sending(reactor, self._readers, sendfile=sendfile, stalls=self._admission.stalls)
        self._entrance = Entrance.of(reactor, configuration, self._index, data_dir, self._records.events)
        held = parts, SqliteHoldings(self._index), self._shelf
        self._repositories = Repositories(
            Shared(reactor, *held, sending, self._metrics, self._formats, self._upstream, self._entrance.gate, store.trash_days)
        )
        declarations, forget = SqliteDeclarations(self._index), self._entrance.forget_repository
        self._declared = Declared(self._repositories, declarations, self._formats, forget, self._records.events)
        self._fetches = Fetches(self._repositories.flying, reactor.seconds)
        self._reload = Reload(configuration, standing.path, self._readers.run, self._apply, self._notify)
        more = {**self._works(data_dir), **keeping.resources(parts), **self._commands()}
        self._control = Control(reactor, standing.control, self._fetches, more)
        self._jobs = Jobs(reactor)
        self._telling = Telling(reactor, SqliteOutbox(self._index), self._records.events, self._metrics, self._jobs.nudge)
        self._add_jobs(parts, store)
        page = standing.page(self._metrics, lambda: self._readers.run(self._metrics.render))
        catalog, endpoints = self._repositories.catalog, standing.endpoints
        looking = Looking(catalog, SqliteFindings(self._index), self._readers)
        served = reactor, configuration, catalog, self._declared, looking, self._formats, self._metrics
        asked = page, self._checks, OnDemand(parts).begin
        self._front = Front(*served, *asked, endpoints, self._admission, self._entrance, self._records)
        self._drain = Drain.of(reactor, self._front, self._fetches, self._notify, configuration.server)
        self._is_started = False

    def _make_parking(self, store: Store) -> Parking:
        hours, most = store.parked_hours, parse_size(store.parked_max_bytes)
        return Parking(self._store, self._readers, self._reactor, hours * 3600.0, most, self._standing.notes())

    def _make_room(self, limit: int | None) -> Room:
        eviction = Eviction(self._store, self._index, self._readers, self._metrics)
        return Room(self._store, self._index, self._writers, self._rescue, self._reactor, self._metrics, eviction, limit)

    def _parts(self, processes: int) -> Parts:
        return Parts(
            self._store,
            self._index,
            self._writers,
            self._readers,
            self._reactor,
            self._metrics,
            self._room,
            self._parking,
            self._standing.sharing(self._store),
            self._admission.fills,
            processes,
            self._records.events,
            syncs=self._syncs,
        )

    def _upstream(self, reactor: IReactorCore, settings: RepositorySettings, configuration: Configuration) -> Upstream:
        return make_upstream(reactor, settings, configuration, self._records.exchanges)

    def _add_jobs(self, parts: Parts, store: Store) -> None:
        jobs = self._jobs
        jobs.add(_scrubs(parts, store))
        jobs.add(keeping.times(parts, SqliteHoldings(self._index), store))
        jobs.add(keeping.jobs(parts, lambda: [remote.settings for remote in self._repositories], self._metrics))
        jobs.add([self._telling.job(), Job("leftovers", Leftovers(parts.clock, self._repositories.tidied).step, LEFTOVERS_FIRST)])

    def _works(self, data_dir: Path) -> dict[bytes, Resource]:
        """What the control socket is asked for, and what of it takes a while."""

        def backup(target: str, everything: bool) -> Backup:  # noqa: FBT001 - as it is called
            return Backup(data_dir / INDEX, self._store, self._readers, Path(target), everything)

        checks = verifying(self._held, self._repositories.spooling)
        numbers = {b"metrics": Told(self._metrics.families), b"drain": DrainSwitch(self.drain)}
        return {**numbers, b"verify": checks.resource(), b"backup": backing_up(backup, self._reactor).resource()}

    @property
    def _side_door(self) -> SideDoor:
        return SideDoor(self._reactor, self._standing.control, self._entrance)

    def _commands(self) -> dict[bytes, Resource]:
        return {
            **self._entrance.commands(),
            **RepositoryCommands(self._declared).resources(),
            b"enter": self._side_door.command(),
        }

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        """Recover what a crash left, open everything, and listen once the repositories are known."""
        Service.startService(self)
        keep_buffers()
        with refusals():
            was_clean = self._standing.open(self._store, self._index, self._parking.bounds)
        self._parking.load(runs=self._standing.is_recovered)
        self._records.start()
        self._writers.start()
        self._readers.start()
        self._syncs.start()
        self._rescue.start()
        if not was_clean:
            self._shelf.suspect()
        if self._standing.adopts(self._index):
            spawn(adopt(self._held), "giving the store's blobs their rows")
        self._fetches.watch(self._metrics.watch)
        self._reactor.callWhenRunning(self._take_signals)
        spawn(self._begin(), "starting")

    async def _begin(self) -> None:
        try:
            await self._entrance.open()
            configuration, needs_url = await self._resolved(self._reload.configuration)
            self._telling.serve(configuration)
            self._entrance.serve(configuration)
            self._declared.serve(configuration)
            await self._front.listen()
            self._front.add_port(self._side_door.listen)
        except Exception as error:
            log.critical("cannot start: {error}", error=error)
            fail_at_exit()
            self._reactor.callWhenRunning(self._reactor.stop)  # it does not run yet if nothing had to be waited for
            if isinstance(error, CannotListenError | RegproxyError):
                return  # they say all there is to say
            raise
        self._control.startService()
        self._standing.elect(self._begin_jobs)
        self._is_started = True
        take_hangups(self._reactor, self.reload)
        self._notify.ready("serving")
        self._standing.serving(configuration, needs_url)

    async def _resolved(self, configuration: Configuration) -> tuple[Configuration, tuple[str, ...]]:
        """Fill in ``url = "auto"``, unless whoever read the configuration has done so."""
        if self._standing.path is None:
            return configuration, ()

        def run(command: object) -> "Deferred[str | None]":
            return self._readers.run(lambda: run_program(command))  # type: ignore[arg-type] # resolve passes a sequence

        resolved = await resolve(configuration, self._formats, run, self._index.word, self._index.remember)
        return resolved.configuration, resolved.needs_url

    def _checks(self) -> dict[str, bool | None]:
        """What must hold for this process to be of use; upstreams are not among it, and without a store it serves on."""
        draining = self._drain.began and not self._drain.is_retired
        store = True if self._room.trouble is None else None
        return {"started": self._is_started, "not draining": not draining, "store": store}

    def _take_signals(self) -> None:
        """In place of Twisted's own, which end with the signal where status 0 is expected, and know no second one."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._reactor.callFromThread(self._end))

    def _end(self) -> None:
        if self._drain.began:
            self._drain.hurry()
        else:
            self.drain()

    def drain(self) -> Draining:
        """Begin to end, if that has not begun, and say what there is to wait for."""
        if self.running and not self._drain.began:
            self._drain.began = True
            self._reactor.callLater(0, self._reactor.stop)
        return self._drain.state

    def retire(self) -> None:
        """Begin to end because others have taken this process's place."""
        self._drain.is_retired = True
        self.drain()

    def reload(self) -> None:
        """Read the configuration again, and open the logs anew; the old configuration stays in force if the new one has
        mistakes.
        """
        self._records.reopen()
        if self._is_started:
            self._reload()

    async def _apply(self, new: Configuration, same: frozenset[str]) -> None:  # noqa: ARG002 - compared when URLs are known
        resolved, _ = await self._resolved(new)
        self._telling.serve(resolved)
        self._entrance.serve(resolved)
        self._declared.serve(resolved)

    async def _stop(self) -> None:
        jobs = self._jobs.stop, self._telling.withdraw, self._standing.withdraw
        if self._drain.is_retired:
            await in_turn(*jobs)  # for the drain may be long, and others are waiting to run them
        if self._is_started:
            await in_turn(self._drain.run)
        self._is_started = False
        await in_turn(*jobs, self._control.stopService, self._front.close, self._repositories.close)
        await in_turn(self._telling.close, self._records.close, self._parking.close, self._room.close, self._index.close)
        await in_turn(self._writers.stop, self._readers.stop, self._syncs.stop, self._rescue.stop)
        await in_turn(self._notify.close, self._entrance.close)
        await in_turn(lambda: self._standing.end(self._metrics))

    def _begin_jobs(self) -> None:
        if not self._drain.began:
            self._jobs.start()
            spawn(self._declared.resume(), "clearing what was removed")

    def stopService(self) -> "Deferred[object]":  # noqa: N802 - Twisted's name
        """Drain, and close everything; what has not arrived by then is left, and gone on with by whoever asks next."""
        Service.stopService(self)
        return spawn(self._stop(), "stopping")


def _scrubs(parts: Parts, store: Store) -> list[Job]:
    """The scrub, unless it is turned off."""
    rate, period = parse_size(store.scrub_rate), store.scrub_period_hours * 3600.0
    return [Job("scrub", Scrub(parts, rate, period).step, first=min(SCRUB_AFTER, period))] if rate else []
