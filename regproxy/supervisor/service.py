"""The supervisor: opens the ports, recovers what a crash left, keeps the workers, answers for all of them.

It serves nothing itself, so it is there when a worker is not. SIGHUP reads the configuration and, if it has no mistakes and asks
for nothing that needs a restart, replaces the workers one by one; SIGTERM lets all of them finish what they are sending.
"""

import os
import signal
import sys
from pathlib import Path

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.posixbase import PosixReactorBase
from txaio.tx import make_logger

from regproxy.auto import Resolved, resolve, run_program
from regproxy.control import SOCKET
from regproxy.drain import PARK_SECONDS, SLACK
from regproxy.ending import in_turn
from regproxy.formats_found import find_formats
from regproxy.hangups import take_hangups
from regproxy.index.generation import Generation
from regproxy.index.older import keep_older
from regproxy.index.sqlite import SqliteIndex
from regproxy.lock import DataDirLock
from regproxy.model.settings import Configuration, Store
from regproxy.model.size import parse_size
from regproxy.notify import Notify
from regproxy.offline import INDEX, STORE
from regproxy.refusal import fail_at_exit, refusals
from regproxy.reload import Reload
from regproxy.repo.parking import Parking
from regproxy.standing import Logging
from regproxy.store.disk import DiskStore
from regproxy.stream.pool import WriterPool
from regproxy.stream.spawn import spawn
from regproxy.supervisor.answering import Answering
from regproxy.supervisor.member import FLIGHTS, GENERATION, PARKED, WORKERS
from regproxy.supervisor.orders import Orders
from regproxy.supervisor.ports import Ports
from regproxy.supervisor.process import Inherited, NotServingError
from regproxy.supervisor.team import KILL_SECONDS, Team
from regproxy.welcome import welcome

log = make_logger()

OWN_SLOT = 0
READERS = 2


class Supervisor(Service):
    """The server, while it has several workers."""

    def __init__(
        self,
        reactor: PosixReactorBase,
        path: Path,
        configuration: Configuration,
        data_dir: Path,
        lock: DataDirLock,
        logging: Logging,
    ) -> None:
        self._reactor, self._data_dir, self._lock, self._logging = reactor, data_dir, lock, logging
        self._notify = Notify.of(reactor, os.environ)
        self._readers = WriterPool(reactor, READERS)
        self._reload = Reload(configuration, path, self._readers.run, self._apply, self._notify)
        self._generation = Generation.open(data_dir / GENERATION, OWN_SLOT)
        self._index = SqliteIndex(data_dir / INDEX, reactor, self._generation)
        self._store = DiskStore(data_dir / STORE)
        self._formats = find_formats()
        self._ports = Ports()
        self._team: Team | None = None
        self._answering: Answering | None = None
        self._is_ending = False

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        """Recover, open the ports, start the workers; the process ends if none of them comes up."""
        Service.startService(self)
        self._recover(self._reload.configuration.store)
        with refusals():
            keep_older(self._data_dir / INDEX)
            self._index.start()
        self._readers.start()
        self._make_folders()
        self._reactor.callWhenRunning(self._take_signals)
        self._reactor.callWhenRunning(spawn, self._begin(), "starting")  # before, there is no reactor to stop

    def _recover(self, store: Store) -> None:
        """What cannot be gone on with goes before there is a worker: what workers find was written while the machine ran."""
        hours, most = store.parked_hours, parse_size(store.parked_max_bytes)
        parking = Parking(self._store, self._readers, self._reactor, hours * 3600.0, most)
        self._store.recover(parking.bounds)
        parking.load()
        parking.close()

    def _make_folders(self) -> None:
        """For what workers tell one another; what those of the last run said means nothing now."""
        for name in (WORKERS, FLIGHTS, PARKED):
            folder = self._data_dir / name
            folder.mkdir(mode=0o700, exist_ok=True)
            for left in folder.iterdir():
                left.unlink()

    def _take_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._reactor.callFromThread(self._end))

    def _end(self) -> None:
        """End, or hurry if that is under way."""
        if self._is_ending and self._team is not None:
            self._team.hurry()
        self.drain()

    def drain(self) -> None:
        """Begin to end, if that has not begun."""
        if self.running and not self._is_ending:
            self._is_ending = True
            if self._team is not None:
                self._team.end()
            self._reactor.callLater(0, self._reactor.stop)

    async def _begin(self) -> None:
        configuration = self._reload.configuration
        try:
            resolved = await self._resolved(configuration)
            await self._ports.open(self._reactor, configuration.server)
            team = self._team = self._new_team(resolved.configuration)
            await team.start()
        except Exception as error:
            if self._is_ending or not self.running:
                return  # it was told to end before the workers were there
            log.critical("cannot start: {error}", error=error)
            fail_at_exit()
            self._reactor.callWhenRunning(self._reactor.stop)
            if isinstance(error, CannotListenError | NotServingError):
                return  # they say all there is to say
            raise
        self._answering = Answering(self._reactor, self._data_dir, team, self.drain)
        self._answering.start(self._data_dir / SOCKET)
        take_hangups(self._reactor, self.reload)
        self._notify.ready("serving")
        sys.stdout.write(welcome(resolved.configuration, resolved.needs_url) + "\n")
        sys.stdout.flush()

    def _new_team(self, configuration: Configuration) -> Team:
        ports = self._ports.descriptors()
        logging = self._logging
        inherited = Inherited(logging.form, logging.level, logging.descriptor, self._lock.fileno(), ports)
        orders = Orders(
            number=0,
            configuration=configuration,
            data_dir=str(self._data_dir),
            was_clean=self._index.was_clean,
            adopts=self._index.is_new,
            ports=len(ports),
        )
        return Team(self._reactor, inherited, orders, self._died)

    def _died(self, process: int) -> None:
        """Let the others look at the index anew, and have back what a worker had of the store."""
        self._generation.changed()
        if self.running:  # or else the next start sees to it
            spawn(self._let_go(process), "having back what a worker had")

    async def _let_go(self, process: int) -> None:
        try:
            await self._readers.run(lambda: self._store.let_go(process))
        except OSError as error:
            log.error("what worker {process} had waits for the next start: {error}", process=process, error=error)  # noqa: TRY400 - one line

    async def _resolved(self, configuration: Configuration) -> Resolved:
        def run(command: object) -> "Deferred[str | None]":
            return self._readers.run(lambda: run_program(command))  # type: ignore[arg-type] # resolve passes a sequence

        return await resolve(configuration, self._formats, run, self._index.word, self._index.remember)

    def reload(self) -> None:
        """Let workers open their logs anew, and read the configuration again; the old one stays in force if the new one has
        mistakes, or its workers do not come up.
        """
        if self._answering is not None and self._team is not None and not self._is_ending:
            self._team.reopen_logs()
            self._reload()

    async def _apply(self, new: Configuration, same: frozenset[str]) -> None:  # noqa: ARG002 - all of it is served anew
        assert self._team is not None
        resolved = await self._resolved(new)
        await self._team.replace(resolved.configuration)

    async def _stop(self) -> None:
        server = self._reload.configuration.server
        seconds = server.drain_delay + server.drain_seconds + PARK_SECONDS
        self._notify.stopping(seconds + SLACK + KILL_SECONDS)
        # As long as we hold them, connections wait in them for a worker that does not come.
        closing = self._reactor.callLater(server.drain_delay, lambda: spawn(self._ports.close(), "closing the ports"))
        team, answering = self._team, self._answering
        if team is not None:
            await in_turn(lambda: team.stop(seconds))
        if answering is not None:
            await in_turn(answering.stop)
        if closing.active():
            closing.cancel()
        await in_turn(self._ports.close, self._index.close, self._readers.stop, self._notify.close, self._lock.release)

    def stopService(self) -> "Deferred[object]":  # noqa: N802 - Twisted's name
        """End the workers, then everything else."""
        Service.stopService(self)
        self._is_ending = True
        return spawn(self._stop(), "stopping")
