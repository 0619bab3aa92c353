"""Periodic jobs run in one process; another one takes over when that dies."""

import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest_twisted
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.task import deferLater

from regproxy.model.settings import Configuration
from regproxy.supervisor.member import Member
from regproxy.supervisor.orders import Orders
from tests.fakes.killing import ROOT
from tests.sharing.test_flights import until

reactor = cast(PosixReactorBase, installed)

ELECTED = """
import sys
from twisted.internet import reactor
from tests.supervisor.test_election import member

member(sys.argv[1]).elect(lambda: print("elected", flush=True))
reactor.run()
"""


def member(folder: str) -> Member:
    """A worker's place."""
    orders = Orders(number=1, configuration=Configuration(), data_dir=folder, was_clean=True, adopts=False, ports=0)
    return Member(reactor, orders, lambda _: None)


def elected_process(folder: str) -> "subprocess.Popen[bytes]":
    """A process that prints when it is elected."""
    return subprocess.Popen([sys.executable, "-c", ELECTED, folder], cwd=ROOT, stdout=subprocess.PIPE)


@pytest_twisted.ensureDeferred
async def test_one_at_a_time(tmp_path: Path) -> None:
    """Whoever waits is called when the one before him is no more, and not before."""
    with elected_process(str(tmp_path)) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"elected\n"
        elected: Deferred[None] = Deferred()
        member(str(tmp_path)).elect(lambda: elected.callback(None))
        await deferLater(reactor, 0.3)
        assert not elected.called
        other.kill()
    await elected.addTimeout(30, reactor)


@pytest_twisted.ensureDeferred
async def test_who_is_retired_withdraws(tmp_path: Path) -> None:
    """The next one is called though the process lives on; one that was still waiting never is."""
    calls: list[str] = []
    first, second, third = (member(str(tmp_path)) for _ in range(3))
    first.elect(lambda: calls.append("first"))
    await until(lambda: calls == ["first"])
    second.elect(lambda: calls.append("second"))
    second.withdraw()
    third.elect(lambda: calls.append("third"))
    first.withdraw()
    await until(lambda: calls == ["first", "third"])
    third.withdraw()
