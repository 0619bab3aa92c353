"""Workers that come and go while their configuration is replaced: in the end all who serve were told the same."""

import errno
import os
from collections.abc import Sequence
from typing import Any, cast

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessTerminated
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from regproxy.model.settings import Configuration, Server
from regproxy.supervisor.orders import ORDERS, REPORTS, RETIRE, Orders, Serving, line, read_orders
from regproxy.supervisor.process import Inherited, NotServingError, Worker
from regproxy.supervisor.team import Team


@define(eq=False)
class Process:
    """A process that does what a test says."""

    worker: Worker
    told: bytes = b""
    pid: int = 1

    def writeToChild(self, descriptor: int, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Note it."""
        assert descriptor == ORDERS
        self.told += data

    def signalProcess(self, number: int) -> None:  # noqa: N802 - Twisted's name
        """Nobody listens."""

    @property
    def workers(self) -> int:
        """Which configuration it was told; what tells them apart is a number in it."""
        return read_orders(self.told.partition(b"\n")[0]).configuration.server.workers

    @property
    def is_retired(self) -> bool:
        """Whether it was told to go."""
        return self.told.endswith(RETIRE)

    def serve(self) -> None:
        """It accepts connections."""
        self.worker.childDataReceived(REPORTS, line(Serving()))

    def die(self) -> None:
        """It ends."""
        self.worker.processEnded(Failure(ProcessTerminated(1)))


@define(eq=False)
class Machine(Clock):
    """A clock that starts processes."""

    processes: list[Process] = field(factory=list)

    def __attrs_pre_init__(self) -> None:
        Clock.__init__(self)

    def spawnProcess(self, worker: Worker, *_: object, **__: object) -> Process:  # noqa: N802 - Twisted's name
        """Start one."""
        process = Process(worker)
        self.processes.append(process)
        worker.makeConnection(cast(Any, process))
        return process


def configuration(workers: int) -> Configuration:
    """One of several."""
    return Configuration(server=Server(workers=workers))


def two() -> tuple[Machine, Team]:
    """Two workers that serve."""
    machine = Machine()
    orders = Orders(number=0, configuration=configuration(2), data_dir="/", was_clean=True, adopts=False, ports=0)
    team = Team(cast(PosixReactorBase, machine), Inherited("text", "info", 1, 2, ()), orders, lambda _: None)
    Deferred.fromCoroutine(team.start())
    for process in machine.processes:
        process.serve()
    return machine, team


def serving(machine: Machine) -> Sequence[int]:
    """What those were told who serve."""
    return [process.workers for process in machine.processes if process.worker.is_serving]


def replacing(team: Team) -> list[Any]:
    """Begin; the list has the outcome when it has ended."""
    ended: list[Any] = []
    Deferred.fromCoroutine(team.replace(configuration(3))).addBoth(ended.append)
    return ended


def test_one_that_is_about_to_serve_is_replaced_too() -> None:
    """It was started in place of one that had died, and told the configuration before."""
    machine, team = two()
    machine.processes[1].die()
    machine.advance(0)
    ended = replacing(team)
    machine.processes[3].serve()
    assert ended == []
    machine.processes[2].serve()
    machine.processes[4].serve()
    assert (ended, serving(machine)) == ([None], [3, 3])
    assert [process.is_retired for process in machine.processes] == [True, False, True, False, False]


def test_one_that_does_not_come_up_is_not_waited_for() -> None:
    """Its successor is told the new configuration."""
    machine, team = two()
    machine.processes[1].die()
    machine.advance(0)
    ended = replacing(team)
    machine.processes[3].serve()
    machine.processes[2].die()
    assert ended == [None]
    machine.advance(60)
    machine.processes[4].serve()
    assert serving(machine) == [3, 3]


def test_all_go_back_if_one_does_not_come_up() -> None:
    """Those included that were started meanwhile in place of others."""
    machine, team = two()
    ended = replacing(team)
    machine.processes[1].die()
    machine.advance(0)
    machine.processes[3].serve()
    machine.processes[2].die()
    assert ended == []
    machine.processes[4].serve()
    (failure,) = ended
    failure.trap(NotServingError)
    assert serving(machine) == [2, 2]
    assert [process.workers for process in machine.processes] == [2, 2, 3, 3, 2]


def test_one_that_dies_while_its_successor_starts_has_no_other() -> None:
    """There would be one too many."""
    machine, team = two()
    ended = replacing(team)
    machine.processes[0].die()
    machine.advance(0)
    assert len(machine.processes) == 3
    machine.processes[2].serve()
    machine.processes[3].serve()
    machine.advance(60)
    assert (ended, serving(machine), len(machine.processes)) == ([None], [3, 3], 4)


def test_one_that_dies_while_its_successor_does_not_come_up_has_another() -> None:
    """Or there would be one too few."""
    machine, team = two()
    ended = replacing(team)
    machine.processes[0].die()
    machine.processes[2].die()
    machine.advance(60)
    for process in machine.processes[3:]:
        process.serve()
    ended[0].trap(NotServingError)
    assert serving(machine) == [2, 2]


def none(*_: object, **__: object) -> Any:
    """There are too many processes already."""
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def test_a_successor_that_cannot_be_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The old one serves, and has a successor when it dies."""
    machine, team = two()
    with monkeypatch.context() as patch:
        patch.setattr(Machine, "spawnProcess", none)
        replacing(team)[0].trap(NotServingError)
    machine.processes[0].die()
    machine.advance(60)
    for process in machine.processes[2:]:
        process.serve()
    assert serving(machine) == [2, 2]


@pytest.mark.parametrize("reloads", [False, True], ids=["", "and a reload"])
def test_no_way_back_for_a_while(monkeypatch: pytest.MonkeyPatch, *, reloads: bool) -> None:
    """One has the new configuration already: as soon as there can be processes, all have the old one, or a newer one."""
    machine, team = two()
    ended = replacing(team)
    with monkeypatch.context() as patch:
        patch.setattr(Machine, "spawnProcess", none)
        machine.processes[2].serve()
        ended[0].trap(NotServingError)
    machine.processes[0].die()
    if reloads:
        Deferred.fromCoroutine(team.replace(configuration(4)))
    for _ in range(10):
        for process in machine.processes[3:]:
            if not process.worker.has_served:
                process.serve()
        machine.advance(60)
    assert serving(machine) == ([4, 4] if reloads else [2, 2])


def test_nobody_is_started_while_all_end() -> None:
    """An old one has ended, and then the one that was starting in its place."""
    machine, team = two()
    replacing(team)
    Deferred.fromCoroutine(team.stop(10))
    machine.processes[0].die()
    machine.processes[2].die()
    machine.advance(1)
    assert len(machine.processes) == 3
