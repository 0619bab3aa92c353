"""Bodies of requests on real sockets: as they arrive, paused, refused early, cut, too slow, and never taken for a request."""

import hashlib
import random
import socket
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.internet.task import deferLater
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource

from regproxy.repo.interface import Text
from regproxy.web import body, channel
from regproxy.web.catalog import Catalog
from regproxy.web.root import Root
from tests.fakes.gates import guard_of
from tests.fakes.site import Answering, Client, Stage, reactor
from tests.fakes.taking import Digesting, Taking

DATA = random.Random(5).randbytes(3 << 20)
NEXT = b"GET /again HTTP/1.1\r\nHost: a\r\n\r\n"


def told(data: bytes) -> bytes:
    """What the server says of a body that it has taken whole."""
    return f"{len(data)} {hashlib.sha256(data).hexdigest()}".encode()


def head(path: str, *fields: str, method: str = "PUT") -> bytes:
    """Write the head of a request."""
    return "\r\n".join([f"{method} /t/{path} HTTP/1.1", "Host: a", *fields, "", ""]).encode()


def sized(path: str, data: bytes, *fields: str, method: str = "PUT") -> bytes:
    """A request with its length."""
    return head(path, f"Content-Length: {len(data)}", *fields, method=method) + data


def chunked(data: bytes, size: int) -> bytes:
    """A body in chunks."""
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def staged(taking: Taking) -> Stage:
    """The routes at ``/t``, and what answers behind them."""
    plain = cast(IResource, Answering(lambda _: Text(b"again", "text/plain")))
    return Stage(Root(Catalog(guard_of()), {"t": cast(IResource, taking.resource()), "again": plain}, {}))


async def until(holds: Callable[[], object]) -> None:
    """Wait until something is so."""
    for _ in range(1000):
        if holds():
            return
        await deferLater(reactor, 0.01)
    raise AssertionError("it did not come true")


@pytest.fixture
def taking() -> Iterator[Taking]:
    """The routes."""
    made = Taking()
    yield made
    made.gate.addErrback(lambda _: None)


@pytest.mark.parametrize("path", ["take", "rest"])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "POST"])
@pytest_twisted.ensureDeferred
async def test_a_body_with_a_length(taking: Taking, path: str, method: str) -> None:
    """Whole, by a consumer that pauses too, and the connection goes on."""

    def work(client: Client) -> tuple[bytes, bool]:
        client.send(sized(path, DATA, method=method))
        return client.reply().body, client.is_open()

    async with staged(taking) as stage:
        assert await stage.ask(work) == (told(DATA), True)


@pytest.mark.parametrize("size", [1, 7, 4096, 200_000])
@pytest_twisted.ensureDeferred
async def test_a_body_in_chunks(taking: Taking, size: int) -> None:
    """Of whatever size, with a request right behind it in the same packets."""
    data = DATA[: size * 50]

    def work(client: Client) -> tuple[bytes, bytes]:
        client.send(head("rest", "Transfer-Encoding: chunked", method="PATCH") + chunked(data, size) + NEXT)
        return client.reply().body, client.reply().body

    async with staged(taking) as stage:
        assert await stage.ask(work) == (told(data), b"again")


@pytest_twisted.ensureDeferred
async def test_empty_bodies(taking: Taking) -> None:
    """A length of 0, none at all, and no chunk: each is a body of nothing."""

    def work(client: Client) -> list[bytes]:
        client.send(sized("take", b"") + head("take") + head("take", "Transfer-Encoding: chunked") + b"0\r\n\r\n")
        return [client.reply().body for _ in range(3)]

    async with staged(taking) as stage:
        assert await stage.ask(work) == [told(b"")] * 3


@pytest_twisted.ensureDeferred
async def test_the_route_is_entered_before_the_body_is_there(taking: Taking) -> None:
    """A client that has sent half a body is being listened to."""
    consumers: list[Digesting] = []
    taking.seen = consumers.append

    def work(client: Client) -> bytes:
        client.send(sized("take", DATA)[: -len(DATA) // 2])
        while not consumers or not consumers[0].size:
            pass
        client.send(DATA[-(len(DATA) // 2) :])
        return client.reply().body

    async with staged(taking) as stage:
        assert await stage.ask(work) == told(DATA)


@pytest_twisted.ensureDeferred
async def test_what_nobody_wants_yet_stays_with_the_client(taking: Taking) -> None:
    """A route that looks elsewhere first has the first packets waiting for it, and no more."""
    blocked: list[int] = []

    def work(client: Client) -> bytes:
        data = memoryview(sized("late", DATA * 8))
        client.socket.setblocking(False)  # noqa: FBT003 - the library's
        while True:
            try:
                data = data[client.socket.send(data) :]
            except BlockingIOError:
                if len(blocked) > 20:
                    break
                blocked.append(len(data))
                socket_wait(client.socket)
        client.socket.settimeout(20)
        reactor.callFromThread(taking.gate.callback, None)
        client.socket.sendall(data)
        return client.reply().body

    async with staged(taking) as stage:
        assert await stage.ask(work) == told(DATA * 8)
    assert blocked[-1] > len(DATA)


def socket_wait(sock: socket.socket) -> None:
    """A moment."""
    try:
        sock.settimeout(0.02)
        sock.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        pass
    finally:
        sock.setblocking(False)  # noqa: FBT003 - the library's


@pytest_twisted.ensureDeferred
async def test_100_comes_when_the_route_asks(taking: Taking) -> None:
    """Not before."""

    def work(client: Client) -> list[Any]:
        client.send(head("late", f"Content-Length: {len(DATA)}", "Expect: 100-continue"))
        client.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.socket.recv(1, socket.MSG_PEEK)
        client.socket.settimeout(10)
        reactor.callFromThread(taking.gate.callback, None)
        found: list[Any] = [client.reply().status]
        client.send(DATA)
        reply = client.reply()
        return [*found, reply.status, reply.body]

    async with staged(taking) as stage:
        assert await stage.ask(work) == [100, 200, told(DATA)]


@pytest_twisted.ensureDeferred
async def test_refused_expectation_gets_no_100(taking: Taking) -> None:
    """A client that asks first is told at once, and the connection closes."""

    def work(client: Client) -> tuple[int, str, bytes]:
        client.send(head("refuse", "Content-Length: 500000000", "Expect: 100-continue"))
        reply = client.reply()
        return reply.status, reply.headers["connection"], client.file.read()

    async with staged(taking) as stage:
        assert await stage.ask(work) == (401, "close", b"")


@pytest_twisted.ensureDeferred
async def test_expectation_of_what_is_on_its_way_already(taking: Taking) -> None:
    """A client that does not wait gets no 100 into its way."""

    def work(client: Client) -> int:
        client.send(sized("take", b"x", "Expect: 100-continue"))
        return client.reply().status

    async with staged(taking) as stage:
        assert await stage.ask(work) == 200


@pytest.mark.parametrize(("path", "status"), [("refuse", 401), ("chatty", 200), ("none", 404), ("small", 413)])
@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest_twisted.ensureDeferred
async def test_an_early_answer_is_read_by_a_client_that_sends_first(taking: Taking, path: str, status: int, framing: str) -> None:
    """26 MB are sent before the answer is looked at: it is there, whole, and nothing behind the body is taken for a request."""
    data = DATA * 9

    def work(client: Client) -> tuple[int, str, bytes]:
        client.socket.settimeout(20)
        if framing == "length":
            client.socket.sendall(sized(path, data))
        else:
            client.socket.sendall(head(path, "Transfer-Encoding: chunked") + chunked(data, 100_000))
        client.socket.sendall(NEXT)
        reply = client.reply()
        return reply.status, reply.headers["connection"], client.file.read()

    async with staged(taking) as stage:
        assert await stage.ask(work) == (status, "close", b"")
        await until(lambda: stage.recorded)
    assert [status] == [request.code for request in stage.recorded]


@pytest_twisted.ensureDeferred
async def test_a_request_inside_a_body_is_none(taking: Taking) -> None:
    """Whoever is answered early cannot have the rest of his body parsed."""

    def work(client: Client) -> bytes:
        client.send(head("refuse", "Content-Length: 100000"))
        client.reply()
        client.send(NEXT * 20)
        return client.file.read()

    async with staged(taking) as stage:
        assert await stage.ask(work) == b""
        assert [401] == [request.code for request in stage.recorded]


@pytest_twisted.ensureDeferred
async def test_a_client_that_never_stops_sending_is_dropped(taking: Taking, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind an early answer it has a number of bytes, and of seconds."""
    monkeypatch.setattr(channel, "EARLY_BYTES", 1 << 20)

    def work(client: Client) -> str:
        client.send(head("refuse", "Content-Length: 500000000"))
        client.reply()
        sent = 0
        while sent < 100 << 20:
            try:
                client.socket.sendall(bytes(1 << 16))
            except OSError:
                return "dropped"
            sent += 1 << 16
        return "drained"

    async with staged(taking) as stage:
        assert await stage.ask(work) == "dropped"
        monkeypatch.setattr(channel, "EARLY_BYTES", 1 << 40)
        monkeypatch.setattr(channel, "EARLY_SECONDS", 0.1)

        def slowly(client: Client) -> str:
            client.send(head("refuse", "Content-Length: 500000000"))
            client.reply()
            client.socket.settimeout(0.01)
            while True:
                try:
                    client.socket.sendall(b"x")
                    client.socket.recv(1)
                except TimeoutError:
                    continue
                except OSError:
                    return "dropped"

        assert await stage.ask(slowly) == "dropped"


@pytest_twisted.ensureDeferred
async def test_pipelined_uploads_are_answered_in_order(taking: Taking) -> None:
    """Two small ones and what comes behind."""

    def work(client: Client) -> list[bytes]:
        client.send(sized("rest", b"one") + sized("take", b"two") + NEXT)
        return [client.reply().body for _ in range(3)]

    async with staged(taking) as stage:
        assert await stage.ask(work) == [told(b"one"), told(b"two"), b"again"]


@pytest_twisted.ensureDeferred
async def test_clients_that_leave(taking: Taking) -> None:
    """At any byte: the one who takes the body hears of it, and nobody is answered."""
    whole = sized("take", DATA[:300_000])
    headed = len(whole) - 300_000

    def leave(at: int) -> Callable[[Client], None]:
        return lambda client: client.send(whole[:at])

    cuts = [1, headed - 1, headed, headed + 1, headed + 65_536, headed + 299_999]
    async with staged(taking) as stage:
        for at in cuts:
            await stage.ask(leave(at))
        entered = [at for at in cuts if at >= headed]
        await until(lambda: len(taking.endings) == len(entered))
        assert all(name in ("CancelledError", "RegproxyError") for name in taking.endings)
        assert all(request._disconnected for request in stage.recorded)


@pytest.mark.parametrize("broken", [b"zz\r\n", b"3\r\nabcd\r\n", b"-1\r\n", b"5;" + b"x" * 2000 + b"\r\n"])
@pytest_twisted.ensureDeferred
async def test_broken_framing_in_the_middle(taking: Taking, broken: bytes) -> None:
    """The route hears of it, and the client is told in the route's own way."""

    def work(client: Client) -> tuple[int, str, bytes]:
        client.send(head("take", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n")
        while not taking.bodies or not taking.bodies[0].received:
            pass
        client.send(broken + NEXT)
        reply = client.reply()
        return reply.status, reply.headers["content-type"], client.file.read()

    async with staged(taking) as stage:
        assert await stage.ask(work) == (400, "application/json", b"")
    assert ["RegproxyError"] == taking.endings


@pytest_twisted.ensureDeferred
async def test_a_body_that_drips_is_408(taking: Taking, monkeypatch: pytest.MonkeyPatch) -> None:
    """However steadily; one that we don't want to read for a while is not held against the client."""
    monkeypatch.setattr(body, "RATE_SECONDS", 0.3)
    monkeypatch.setattr(body, "RATE_BYTES", 1000)

    def drip(client: Client) -> tuple[int, bytes]:
        client.send(head("take", "Content-Length: 1000000"))
        client.socket.settimeout(0.03)
        while True:
            client.send(b"x")
            try:
                if client.socket.recv(1, socket.MSG_PEEK):
                    break
            except TimeoutError:
                continue
        client.socket.settimeout(10)
        client.file = client.socket.makefile("rb")
        return client.reply().status, client.file.read()

    def wait(client: Client) -> bytes:
        client.send(sized("late", DATA)[: -len(DATA) + 10])
        reactor.callFromThread(reactor.callLater, 0.7, taking.gate.callback, None)
        while not taking.bodies or taking.bodies[-1].held:
            pass
        client.send(DATA[10:])
        return client.reply().body

    async with staged(taking) as stage:
        assert await stage.ask(drip) == (408, b"")
        taking.bodies.clear()
        assert await stage.ask(wait) == told(DATA)


@pytest_twisted.ensureDeferred
async def test_old_clients(taking: Taking) -> None:
    """HTTP/1.0 with a length; no 100 goes to it."""

    def work(client: Client) -> tuple[int, bytes]:
        client.send(b"PUT /t/take HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        client.send(b"abc")
        reply = client.reply()
        return reply.status, reply.body

    async with staged(taking) as stage:
        assert await stage.ask(work) == (200, told(b"abc"))


def test_private_names_of_twisted() -> None:
    """What ``channel`` and ``request`` rely on is where it was."""
    made = HTTPChannel()
    assert (made.requests, made._handlingRequest, made._transferDecoder, made._waitingForTransport) == ([], False, None, False)
    for name in ("_send100Continue", "_respondToBadRequestAndDisconnect", "allContentReceived", "lineLengthExceeded"):
        assert callable(getattr(made, name))
    for name in ("_command", "_path", "_version"):
        assert not hasattr(made, name)
