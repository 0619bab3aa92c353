"""The stage of the fault rows: one regproxy in a process of its own, and the upstreams that it has."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_twisted
from attrs import frozen
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from tests.fakes.process import Regproxy
from tests.fakes.upstream import FakeUpstream, Script
from tests.faults import peers
from tests.faults.invariants import Invariants, check_verified
from tests.faults.scene import MIB, Scale

FULL = os.environ.get("REGPROXY_FULL") == "1"
SCALE = Scale(clients=200, size=256 * MIB, body=64 * MIB, seconds=600.0, idle=150.0, full=True) if FULL else Scale()
IDLE_MILLIS = 60_000 if FULL else 1500


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was drawn, and what was measured or counted, whether it went wrong or not; what many tests say of a file, once."""
    said: dict[tuple[str, str, object], list[str]] = {}
    for report in [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]:
        file, _, test = report.nodeid.partition("::")
        for name, value in report.user_properties:
            said.setdefault((file, name, value), []).append(test)
    for (file, name, value), tests in said.items():
        terminalreporter.write_line(f"{tests[0] if len(tests) == 1 else file}: {name} {value}")


@frozen
class Stage:
    """Everything that a scene is made of."""

    regproxy: Regproxy
    upstream: FakeUpstream
    other: FakeUpstream
    canary: FakeUpstream
    invariants: Invariants


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One process for all rows of a module: what one leaves behind, the next would notice, and ``verify`` in the end."""
    fakes = [FakeUpstream(reactor, host=host, interface=host) for host in ("127.0.0.1", "localhost", "127.0.0.2")]
    for fake in fakes:
        fake.interface = fake.interface.replace("localhost", "127.0.0.1")
        fake.start()
        fake.answers["/v2/"] = Script(b"{}", headers={"docker-distribution-api-version": "registry/2.0"})
    upstream, other, canary = fakes
    folder: Path = tmp_path_factory.mktemp("faults")
    regproxy = peers.regproxy(folder / "regproxy", upstream.port, IDLE_MILLIS)
    regproxy.start()
    try:
        yield Stage(regproxy, upstream, other, canary, Invariants(regproxy))
    finally:
        for fake in fakes:
            pytest_twisted.blockon(Deferred.fromCoroutine(fake.stop()))
        regproxy.close()
    check_verified(regproxy)
