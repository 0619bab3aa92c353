"""How a process is a part of the server: all of it (``Alone``), or one of several workers (``supervisor/member.py``).

What a process does by itself when it is alone is done by the supervisor for its workers: what a crash left is recovered once,
sockets are opened once, and configurations are read once.
"""

import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol

from attrs import define, frozen
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.posixbase import PosixReactorBase

from regproxy.control import SOCKET
from regproxy.index.older import keep_older
from regproxy.index.sqlite import SqliteIndex
from regproxy.listeners import TLSEndpoint
from regproxy.lock import DataDirLock
from regproxy.model.settings import Configuration, Server
from regproxy.sharing.flights import Sharing, Unshared
from regproxy.sharing.notes import NoNotes, Notes
from regproxy.store.disk import DiskStore
from regproxy.store.interface import Keep
from regproxy.telemetry.metrics import Metrics
from regproxy.welcome import welcome

Page = Callable[[], Awaitable[tuple[bytes, str]]]


@frozen
class Logging:
    """How ``twist`` was told to log: "text" or "json", from which level on, to which descriptor."""

    form: str = "text"
    level: str = "info"
    descriptor: int = 1


class Standing(Protocol):
    """What the running server asks of its place."""

    @property
    def path(self) -> Path | None:
        """The configuration file, if this process reads it."""

    @property
    def control(self) -> Path:
        """Where its control socket lies."""

    def index(self, path: Path) -> SqliteIndex:
        """Make the index."""

    def open(self, store: DiskStore, index: SqliteIndex, keep: Keep) -> bool:
        """Bring store and index into use; ``keep`` of what was begun. Blocks. False if the last run was not ended cleanly."""

    def adopts(self, index: SqliteIndex) -> bool:
        """Whether blobs of which the index knows nothing are this process's to see to."""

    @property
    def is_recovered(self) -> bool:
        """Whether another process has seen to what a crash left, and the machine has run since."""

    def notes(self) -> Notes:
        """Where processes of the server tell one another what they have parked."""

    def sharing(self, store: DiskStore) -> Sharing:
        """How fills are shared with other processes."""

    def endpoints(self, server: Server) -> Sequence[IStreamServerEndpoint]:
        """What to listen on."""

    def elect(self, begin: Callable[[], None]) -> None:
        """Call ``begin`` once, when this process is the one that runs the periodic services."""

    def withdraw(self) -> None:
        """Leave the periodic services to another process."""

    def page(self, metrics: Metrics, own: Page) -> Page:
        """How ``/metrics`` is made; ``own`` renders those of this process."""

    def serving(self, configuration: Configuration, needs_url: Sequence[str]) -> None:
        """It serves."""

    def end(self, metrics: Metrics) -> None:
        """It serves no more, and everything is closed."""


def endpoints(reactor: PosixReactorBase, server: Server) -> list[IStreamServerEndpoint]:
    """What a configuration says to listen on, in its order."""
    listening = [serverFromString(reactor, text) for text in server.listen]
    return [*listening, *(TLSEndpoint(reactor, listener) for listener in server.listener)]


@define(eq=False)
class Alone:
    """The only process of its server."""

    _reactor: PosixReactorBase
    path: Path
    _data_dir: Path
    _lock: DataDirLock

    @property
    def control(self) -> Path:
        """Where its control socket lies."""
        return self._data_dir / SOCKET

    def index(self, path: Path) -> SqliteIndex:
        """An index of its own."""
        return SqliteIndex(path, self._reactor)

    def open(self, store: DiskStore, index: SqliteIndex, keep: Keep) -> bool:
        """Recover what a crash left."""
        keep_older(self._data_dir / "index.sqlite")
        store.recover(keep)
        index.start()
        return index.was_clean

    def adopts(self, index: SqliteIndex) -> bool:
        """If it is new."""
        return index.is_new

    @property
    def is_recovered(self) -> bool:
        """There is no other."""
        return False

    def notes(self) -> Notes:
        """There is nobody to tell."""
        return NoNotes()

    def sharing(self, store: DiskStore) -> Sharing:  # noqa: ARG002 - of the interface
        """There is nobody to share with."""
        return Unshared()

    def endpoints(self, server: Server) -> Sequence[IStreamServerEndpoint]:
        """Ports of its own."""
        return endpoints(self._reactor, server)

    def elect(self, begin: Callable[[], None]) -> None:
        """Nobody else could."""
        begin()

    def withdraw(self) -> None:
        """There is none."""

    def page(self, metrics: Metrics, own: Page) -> Page:  # noqa: ARG002 - of the interface
        """Its own metrics are all."""
        return own

    def serving(self, configuration: Configuration, needs_url: Sequence[str]) -> None:
        """Say so."""
        sys.stdout.write(welcome(configuration, needs_url) + "\n")
        sys.stdout.flush()

    def end(self, metrics: Metrics) -> None:  # noqa: ARG002 - of the interface
        """Let another process have the folder."""
        self._lock.release()
