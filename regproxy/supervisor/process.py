"""One worker, seen from the supervisor: started, serving, ended."""

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from txaio.tx import make_logger

from regproxy.reload import NotAppliedError
from regproxy.stream.observer import OneShot
from regproxy.supervisor.orders import (
    FIRST_PORT,
    LOCK,
    LOG,
    LONGEST,
    ORDERS,
    REPORTS,
    RETIRE,
    Counted,
    Orders,
    Serving,
    line,
    read_report,
)
from regproxy.telemetry.merging import Family

log = make_logger()

MODULE = "regproxy.supervisor.worker"


class NotServingError(NotAppliedError):
    """A worker ended before it served."""


@frozen
class Inherited:
    """What every worker is given.

    Attributes:
        form, level: of the log, which goes to the descriptor ``log``.
        lock: the data directory's, which stays locked as long as any process works on it.
    """

    form: str
    level: str
    log: int
    lock: int
    ports: Sequence[int]

    def descriptors(self) -> Mapping[int, int | str]:
        """As ``spawnProcess`` takes them."""
        ports = {FIRST_PORT + number: descriptor for number, descriptor in enumerate(self.ports)}
        return {ORDERS: "w", 1: 1, 2: 2, REPORTS: "r", LOG: self.log, LOCK: self.lock, **ports}


@define(eq=False)
class Worker(ProcessProtocol):
    """One process.

    Attributes:
        number: unlike that of every other live worker.
        expected: its end was asked for.
        has_successor: another one is being started in its place.
        has_served: it came up.
        pid: the process, known also when it has ended.
        counted: what it had counted when it was last heard of.
    """

    number: int
    began: float
    expected: bool = field(default=False, init=False)
    has_successor: bool = field(default=False, init=False)
    has_served: bool = field(default=False, init=False)
    counted: Sequence[Family] = field(default=(), init=False)
    pid: int = field(default=0, init=False)
    _process: IProcessTransport | None = field(default=None, init=False)
    _serving: OneShot[None] = field(factory=OneShot, init=False)
    _ended: OneShot[None] = field(factory=OneShot, init=False)
    _text: bytearray = field(factory=bytearray, init=False)
    _told: "Callable[[Worker, str], None]" = field(kw_only=True)

    @classmethod
    def start(
        cls, reactor: PosixReactorBase, orders: Orders, inherited: Inherited, told: "Callable[[Worker, str], None]"
    ) -> "Worker":
        """Start the process; ``told`` is called when it has ended."""
        worker = cls(orders.number, reactor.seconds(), told=told)
        command = [sys.executable, "-m", MODULE, inherited.form, inherited.level]
        process = reactor.spawnProcess(worker, command[0], command, os.environ, childFDs=inherited.descriptors())
        process.writeToChild(ORDERS, line(orders))
        return worker

    @property
    def is_serving(self) -> bool:
        """Whether it accepts connections."""
        return self.has_served and not self._ended.fired and not self.expected

    @property
    def has_ended(self) -> bool:
        """Whether the process is no more."""
        return self._ended.fired

    def serving(self) -> "Deferred[None]":
        """Fires when it accepts connections; ``NotServingError`` if it ends before."""
        return self._serving.when()

    def ended(self) -> "Deferred[None]":
        """Fires when it has ended."""
        return self._ended.when()

    def retire(self) -> None:
        """Ask it to end when it has sent what it is sending: another one is there in its place."""
        self.expected = True
        if self._process is not None:
            self._process.writeToChild(ORDERS, RETIRE)

    def end(self) -> None:
        """Ask it to end, unless that was done."""
        if not self.expected:
            self.expected = True
            self.signal(signal.SIGTERM)

    def signal(self, number: int) -> None:
        """Send a signal, if there still is somebody."""
        if self._process is not None:
            try:
                self._process.signalProcess(number)
            except ProcessExitedAlready:
                return

    def makeConnection(self, process: IProcessTransport) -> None:  # noqa: N802 - Twisted's name
        """It has been started."""
        self._process, self.pid = process, process.pid
        super().makeConnection(process)

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: ARG002, N802, N803 - Twisted's
        """Take a part of its reports."""
        self._text += data
        while (end := self._text.find(b"\n")) >= 0:
            text = bytes(self._text[:end])
            del self._text[: end + 1]
            self._heard(text)
        if len(self._text) > LONGEST:
            self._text.clear()

    def _heard(self, text: bytes) -> None:
        match read_report(text):
            case Serving():
                self.has_served = True
                self._serving.fire(None)
            case Counted(families):
                self.counted = families

    def processEnded(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """It has ended, and everything that it reported has been read."""
        self._process = None
        why = str(reason.value)
        if not self._serving.fired:
            self._serving.fail(Failure(NotServingError(why)))
        self._ended.fire(None)
        self._told(self, why)
