"""A worker's place in its server: what the supervisor has done for it, and how it asks the supervisor for the rest."""

import fcntl
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread

from attrs import define, field
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.posixbase import PosixReactorBase

from regproxy.control import SOCKET
from regproxy.index.generation import Generation
from regproxy.index.sqlite import SqliteIndex
from regproxy.model.settings import Configuration, Server
from regproxy.sharing.flights import SharedByMarks, Sharing
from regproxy.sharing.notes import Notes, SharedNotes
from regproxy.sharing.watches import Watches
from regproxy.standing import Page
from regproxy.store.disk import DiskStore
from regproxy.store.interface import Keep
from regproxy.supervisor.asking import ask
from regproxy.supervisor.orders import FIRST_PORT, Counted, Orders, Report, Serving
from regproxy.supervisor.ports import adopted
from regproxy.telemetry.merging import lasting
from regproxy.telemetry.metrics import Metrics

WORKERS = "workers"
FLIGHTS = "flights"
PARKED = "parked"
GENERATION = "generation"
JOBS_LOCK = "jobs.lock"


def control_of(data_dir: Path, number: int) -> Path:
    """Where a worker's control socket lies."""
    return data_dir / WORKERS / f"{number}.sock"


@define(eq=False)
class Member:
    """A ``Standing``; ``report`` reaches the supervisor."""

    _reactor: PosixReactorBase
    _orders: Orders
    _report: Callable[[Report], None]
    _jobs_lock: int = field(default=-1, init=False)
    _has_withdrawn: bool = field(default=False, init=False)

    @property
    def path(self) -> Path | None:
        """The supervisor reads the configuration."""
        return None

    @property
    def data_dir(self) -> Path:
        """The folder of the server."""
        return Path(self._orders.data_dir)

    @property
    def control(self) -> Path:
        """Where its control socket lies."""
        return control_of(self.data_dir, self._orders.number)

    def index(self, path: Path) -> SqliteIndex:
        """An index that others write to as well."""
        generation = Generation.open(self.data_dir / GENERATION, self._orders.number)
        return SqliteIndex(path, self._reactor, generation, is_owner=False)

    def open(self, store: DiskStore, index: SqliteIndex, keep: Keep) -> bool:  # noqa: ARG002 - the supervisor has recovered it
        """Join in."""
        index.start()
        return self._orders.was_clean

    def adopts(self, index: SqliteIndex) -> bool:  # noqa: ARG002 - it was new to the supervisor
        """One of us does."""
        return self._orders.adopts

    @property
    def is_recovered(self) -> bool:
        """The supervisor has seen to it."""
        return True

    def notes(self) -> Notes:
        """In a folder that the supervisor has made."""
        return SharedNotes(self.data_dir / PARKED)

    def sharing(self, store: DiskStore) -> Sharing:
        """One fill for all workers."""
        return SharedByMarks(self.data_dir / FLIGHTS, store, Watches(self._reactor), self._reactor)

    def endpoints(self, server: Server) -> Sequence[IStreamServerEndpoint]:
        """The sockets that the supervisor holds."""
        return adopted(self._reactor, server, range(FIRST_PORT, FIRST_PORT + self._orders.ports))

    def elect(self, begin: Callable[[], None]) -> None:
        """Wait for the one lock that there is, in a thread: the kernel hands it on when its holder ends, however that ends."""

        def wait() -> None:
            descriptor = os.open(self.data_dir / JOBS_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._reactor.callFromThread(self._elected, descriptor, begin)

        Thread(target=wait, name="regproxy-jobs", daemon=True).start()

    def _elected(self, descriptor: int, begin: Callable[[], None]) -> None:
        if self._has_withdrawn:
            os.close(descriptor)
        else:
            self._jobs_lock = descriptor
            begin()

    def withdraw(self) -> None:
        """Leave the lock to the next one, also if it is still to come."""
        self._has_withdrawn = True
        descriptor, self._jobs_lock = self._jobs_lock, -1
        if descriptor >= 0:
            os.close(descriptor)

    def page(self, metrics: Metrics, own: Page) -> Page:  # noqa: ARG002 - of the interface
        """The supervisor puts everybody's together; our own while there is nobody to ask."""

        async def everybodys() -> tuple[bytes, str]:
            answer = await ask(self._reactor, self.data_dir / SOCKET, "/page")
            return await own() if answer is None else (answer.body, answer.media_type)

        return everybodys

    def serving(self, configuration: Configuration, needs_url: Sequence[str]) -> None:  # noqa: ARG002 - of the interface
        """Tell the supervisor, who tells everybody."""
        self._report(Serving())

    def end(self, metrics: Metrics) -> None:
        """Leave what was counted to those who stay."""
        self._report(Counted(tuple(lasting(metrics.families()))))
