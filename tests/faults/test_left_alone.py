"""Rows 13 and 27 together, under the defaults: bodies break while their upstream is left alone, so that each question for the
rest of them is refused at once. Whatever becomes of them, everything else goes on.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.fakes import crowd
from tests.fakes.crowd import Client
from tests.fakes.process import Regproxy
from tests.fakes.upstream import FakeUpstream, Script
from tests.faults.invariants import fills
from tests.faults.scene import MIB, content, wait_for

SIZE = 8 * MIB
SECONDS = 4.0
# A hit is there in milliseconds; without an end to the questions, not before their time is over.
PATIENCE = 10.0
REMOTE = """
[[repository]]
key = "files"
rclass = "remote"
packageType = "generic"
url = "{url}"
landing = "park"
"""


@define(eq=False)
class Breaking:
    """Two bodies that stop half-way, and a file that is held."""

    upstream: FakeUpstream
    regproxy: Regproxy
    gates: "list[Deferred[None]]" = field(factory=list)

    def __attrs_post_init__(self) -> None:
        for name in ("a", "b"):
            gate: Deferred[None] = Deferred()
            self.gates.append(gate)
            self.upstream.answers[f"/{name}"] = Script(
                content(SIZE, 1), headers={"etag": '"1"', "accept-ranges": "bytes"}, hold=(SIZE // 2, gate), cut=SIZE // 2 + 1
            )
        self.upstream.answers["/held"] = Script(b"held")
        self.get("held")

    def get(self, name: str, seconds: float = 20.0, leave_at: int | None = None) -> Client:
        """One download."""
        client = Client(leave_at=leave_at)
        crowd.run(self.regproxy.port, f"/files/{name}", b"", [client], seconds)
        return client

    def leave_halves(self) -> None:
        """A client takes most of what there is of each body, and leaves; then they are parked."""
        for name in ("a", "b"):
            assert self.get(name, leave_at=SIZE // 2 - MIB).status == 200
        wait_for(lambda: fills(self.regproxy) == [], 20, "what everybody has left goes on")

    def read_halves(self) -> None:
        """A client waits for the rest of each body."""
        readers = [Client(), Client()]
        for name, client in zip(("a", "b"), readers, strict=True):
            crowding = (self.regproxy.port, f"/files/{name}", b"", [client], 60.0)
            threading.Thread(target=crowd.run, args=crowding, daemon=True).start()
        wait_for(lambda: all(client.got >= SIZE // 2 for client in readers), 20, "the halves do not come")

    def cut(self) -> None:
        """Upstream ends both bodies."""
        for gate in self.gates:
            self.upstream.reactor.callFromThread(gate.callback, None)

    def goes_on(self) -> None:
        """For a while, what is held is there at once; then the server ends in order."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            assert self.get("held", PATIENCE).status == 200
            time.sleep(0.1)
        assert self.regproxy.terminate() == 0


@pytest.fixture
def breaking(twist_regproxy: Callable[..., Regproxy]) -> Iterator[Breaking]:
    """A scene of its own for each test: what is known of an upstream stays known."""
    upstream = FakeUpstream(reactor).start()
    process = twist_regproxy(REMOTE.format(url=upstream.url("").rstrip("/")), server="drainSeconds = 2")
    yield pytest_twisted.blockon(deferToThread(Breaking, upstream, process))
    pytest_twisted.blockon(Deferred.fromCoroutine(upstream.stop()))


@pytest_twisted.ensureDeferred
async def test_it_is_gone(breaking: Breaking) -> None:
    """Upstream's process ends in the middle of two bodies."""
    await deferToThread(breaking.read_halves)
    await breaking.upstream.stop()
    await deferToThread(breaking.goes_on)


@pytest_twisted.ensureDeferred
async def test_it_wants_to_be_left_alone(breaking: Breaking) -> None:
    """Upstream has said 503 with a time to another request when it cuts them."""
    breaking.upstream.answers["/other"] = Script(b"no", 503, {"retry-after": "30"})

    def play() -> None:
        breaking.read_halves()
        assert breaking.get("other").status == 503
        breaking.cut()
        breaking.goes_on()

    await deferToThread(play)


@pytest_twisted.ensureDeferred
async def test_it_is_set_offline(breaking: Breaking) -> None:
    """What was left is parked, and asked for when ``offline = true`` keeps anybody from bringing the rest: nobody gets a half."""

    def play() -> None:
        breaking.leave_halves()
        url = breaking.upstream.url("").rstrip("/")
        breaking.regproxy.write_config(REMOTE.format(url=url) + "offline = true\n")
        breaking.regproxy.signal(signal.SIGHUP)
        wait_for(lambda: "the configuration was reloaded" in breaking.regproxy.log, 20, "no reload")
        assert [breaking.get(name, PATIENCE).status for name in ("a", "b", "a")] == [503] * 3
        breaking.goes_on()

    await deferToThread(play)
