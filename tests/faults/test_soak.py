"""A short soak, and that a wrong byte would be noticed; the long one is ``python -m tests.faults.soak``."""

import random
from pathlib import Path

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from tests.fakes.crowd import Client
from tests.fakes.process import Regproxy
from tests.fakes.upstream import FakeUpstream, Script
from tests.faults.conftest import FULL
from tests.faults.soak import IDLE_MILLIS, Soak, configuration, soak
from tests.faults.weather import Weather, artifacts

SECONDS = 120.0 if FULL else 4.0
CLIENTS = 50 if FULL else 10


@pytest_twisted.ensureDeferred
async def test_a_short_one(tmp_path: Path) -> None:
    """Faults are played, room is made, nothing is wrong and nothing is left."""
    made = await soak(reactor, tmp_path, SECONDS, CLIENTS, 4, patient=FULL)
    assert made.failures() == []
    assert made.outcomes["right"] > len(made.things)
    assert len(made.weather.seen) > 5
    assert sum(len(thing.data) for thing in made.things) > 2 * made.held[-1].stored


@pytest_twisted.ensureDeferred
async def test_a_wrong_byte_is_noticed(tmp_path: Path) -> None:
    """A file that no digest names, and of which upstream sends another byte."""
    upstream = FakeUpstream(reactor).start()
    thing = artifacts(2, 4)[1]
    upstream.answers[thing.upstream] = Script(thing.data[:-1] + b"?")
    regproxy = Regproxy(tmp_path / "regproxy", configuration(upstream.url("").rstrip("/"), IDLE_MILLIS))
    made = Soak(regproxy, upstream, Weather(random.Random(4)), [thing], 4)

    def play() -> None:
        regproxy.start()
        try:
            made.download(thing, Client())
        finally:
            regproxy.close()

    try:
        await deferToThread(play)
    finally:
        await upstream.stop()
    assert len(made.wrong) == 1
