"""The workers of a server: as many as there should be, replaced when they die and when the configuration changes.

Rules: a worker that dies is replaced at once, and with growing pauses while its successors die soon after their start. A reload
starts a worker of the new configuration and waits until it serves before one of the old is asked to end, one after the other; if
a new one does not come up, all serve the old one again, if need be later. A worker that was asked to end finishes what it is
sending.
"""

from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from functools import partial
from signal import SIGHUP, SIGINT, SIGKILL
from typing import Any

import msgspec
from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList, DeferredLock
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.posixbase import PosixReactorBase
from txaio.tx import make_logger

from regproxy.index.generation import SLOTS
from regproxy.model.settings import Configuration
from regproxy.stream.spawn import spawn
from regproxy.supervisor.orders import Orders
from regproxy.supervisor.process import Inherited, NotServingError, Worker
from regproxy.telemetry.merging import Family, lasting, merged

log = make_logger()

STEADY_SECONDS = 10.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
START_SECONDS = 120.0
KILL_SECONDS = 20.0


@define
class Pause:
    """How long to wait before the next worker is started in place of one that has died."""

    _failures: int = field(default=0, init=False)

    def after(self, lived: float) -> float:
        """A worker has died that lived so long."""
        self._failures = 0 if lived >= STEADY_SECONDS else self._failures + 1
        return 0.0 if self._failures <= 1 else min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._failures - 2))


@define(eq=False)
class Team:
    """The workers. ``orders`` are what the next one is told; only its number is its own. ``died`` hears of each process's end."""

    _reactor: PosixReactorBase
    _inherited: Inherited
    orders: Orders
    _died: Callable[[int], None]
    _live: dict[int, Worker] = field(factory=dict, init=False)
    _restarts: set[IDelayedCall] = field(factory=set, init=False)
    _pause: Pause = field(factory=Pause, init=False)
    _counted: list[Family] = field(factory=list, init=False)
    _turn: DeferredLock = field(factory=DeferredLock, init=False)
    _is_stopping: bool = field(default=False, init=False)

    async def start(self) -> None:
        """Start all of them; ``NotServingError`` if none comes up. One that does not, where others do, is tried again."""
        starting = [Deferred.fromCoroutine(self._start()) for _ in range(self._size)]
        outcomes: list[tuple[bool, Any]] = await DeferredList(starting, consumeErrors=True)
        failures = [outcome for came_up, outcome in outcomes if not came_up]
        if len(failures) == self._size:
            failures[0].raiseException()
        for _ in failures:
            self._again(0.0)

    @property
    def _size(self) -> int:
        return self.orders.configuration.server.workers

    def __iter__(self) -> Iterator[Worker]:
        """Those who accept connections."""
        return iter([worker for worker in self._live.values() if worker.is_serving])

    @property
    def everybody(self) -> Sequence[Worker]:
        """All live ones, those who are about to end included."""
        return list(self._live.values())

    @property
    def gone(self) -> Sequence[Family]:
        """What those who have ended had counted."""
        return self._counted

    async def replace(self, configuration: Configuration) -> None:
        """Let new workers serve a new configuration; ``NotServingError`` if one does not come up: then it is as it was before,
        at once or as soon as workers come up again.
        """
        await self._turn.acquire()
        try:
            orders, before = self.orders, self.everybody
            self.orders = msgspec.structs.replace(orders, configuration=configuration, adopts=False)
            try:
                await self._replace(before)
            except NotServingError:
                self.orders = orders
                await self._go_back([worker for worker in self.everybody if worker not in before])
                raise
        finally:
            self._turn.release()

    async def _go_back(self, strange: Sequence[Worker]) -> None:
        """Replace those who were told what is not in force."""
        try:
            await self._replace(strange)
        except NotServingError:
            if not self._is_stopping:
                self._later(0.0, partial(self._go_back_again, strange))

    async def _go_back_again(self, strange: Sequence[Worker]) -> None:
        await self._turn.run(lambda: Deferred.fromCoroutine(self._go_back(strange)))

    async def _replace(self, before: Sequence[Worker]) -> None:
        for old in before:
            with suppress(NotServingError):
                await old.serving()  # who is about to serve was told the configuration before, too
            if old.is_serving:  # who has died meanwhile has a successor already
                await self._succeed(old)

    async def _succeed(self, old: Worker) -> None:
        old.has_successor = True
        try:
            await self._start()
        except NotServingError:
            old.has_successor = False
            if old.has_ended and not self._is_stopping:
                self._again(0.0)
            raise
        old.retire()

    async def stop(self, seconds: float) -> None:
        """End all of them; those that have not ended in so many seconds are hurried, and killed at last."""
        self._is_stopping = True
        for restart in self._restarts:
            restart.cancel()
        self._restarts.clear()
        self.end()
        ending = self.everybody
        late = [
            self._reactor.callLater(seconds, self.hurry),
            self._reactor.callLater(seconds + KILL_SECONDS, self.signal, SIGKILL),
        ]
        for worker in ending:
            await worker.ended()
        for timer in late:
            if timer.active():
                timer.cancel()

    def end(self) -> None:
        """Ask all of them to end; a second time this does nothing."""
        for worker in self.everybody:
            worker.end()

    def hurry(self) -> None:
        """Let those that were asked to end wait for nothing more.

        By another signal: a second SIGTERM is lost where the first one has not been taken yet.
        """
        self.signal(SIGINT)

    def signal(self, number: int) -> None:
        """Send a signal to all of them."""
        for worker in self.everybody:
            worker.signal(number)

    def reopen_logs(self) -> None:
        """Let all of them write to new files; who is about to start does so anyway, and does not know the signal yet."""
        for worker in self.everybody:
            if worker.has_served:
                worker.signal(SIGHUP)

    async def _start(self) -> Worker:
        number = next((number for number in range(1, SLOTS) if number not in self._live), None)
        if number is None:
            raise NotServingError("too many workers have not ended yet")
        try:
            worker = Worker.start(self._reactor, self._orders_of(number), self._inherited, self._ended)
        except OSError as error:
            raise NotServingError(f"no process can be started: {error}") from error
        self._live[number] = worker
        late = self._reactor.callLater(START_SECONDS, worker.signal, SIGKILL)
        try:
            await worker.serving()
        finally:
            if late.active():
                late.cancel()
        log.info("worker {number} serves (process {pid})", number=number, pid=worker.pid)
        return worker

    def _orders_of(self, number: int) -> Orders:
        return msgspec.structs.replace(self.orders, number=number, adopts=self.orders.adopts and number == 1)

    def _ended(self, worker: Worker, why: str) -> None:
        self._live.pop(worker.number, None)
        self._counted = merged([self._counted, lasting(worker.counted)])
        self._died(worker.pid)
        if worker.expected or self._is_stopping:
            log.info("worker {number} has ended", number=worker.number)
        else:
            log.error("worker {number} died: {why}", number=worker.number, why=why)
            if worker.has_served and not worker.has_successor:
                self._again(self._reactor.seconds() - worker.began)

    def _again(self, lived: float) -> None:
        self._later(lived, self._restart)

    def _later(self, lived: float, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        def begin() -> None:
            self._restarts.discard(restart)
            spawn(job(), "starting a worker again")

        restart = self._reactor.callLater(self._pause.after(lived), begin)
        self._restarts.add(restart)

    async def _restart(self) -> None:
        try:
            await self._start()
        except NotServingError:
            if not self._is_stopping:
                self._again(0.0)
