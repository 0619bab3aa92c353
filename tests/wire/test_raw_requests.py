"""What a real socket may say to us, and what it is told: status, and whether the connection lives on."""

from functools import partial

import pytest
import pytest_twisted
from twisted.web.resource import IResource

from regproxy.repo.interface import Text
from regproxy.web import channel
from regproxy.web.catalog import Catalog
from regproxy.web.root import Root
from tests.fakes.gates import guard_of
from tests.fakes.site import Answering, Client, Stage

GOOD = b"GET /again HTTP/1.1\r\nHost: a\r\n\r\n"


def root() -> Root:
    """Everything below ``/again`` and ``/ok`` is 200."""
    plain: IResource = Answering(lambda request: Text(request.path + b"\n", "text/plain"))
    return Root(Catalog(guard_of()), {"api": plain}, {"again": plain, "ok": plain})


def get(target: bytes, *fields: bytes, method: bytes = b"GET", version: bytes = b"HTTP/1.1", host: bytes = b"Host: a") -> bytes:
    """Write a request."""
    lines = [method + b" " + target + b" " + version, *([host] if host else []), *fields]
    return b"\r\n".join([*lines, b"", b""])


CASES = {
    "plain": (get(b"/ok"), 200, True),
    "prefix": (get(b"/artifactory/ok"), 200, True),
    "empty line first": (b"\r\n" + get(b"/ok"), 200, True),
    "host with port": (get(b"/ok", host=b"Host: a.example:8081"), 200, True),
    "host is IPv6": (get(b"/ok", host=b"Host: [::1]:80"), 200, True),
    "Connection: close": (get(b"/ok", b"Connection: close"), 200, False),
    "HTTP/1.0": (get(b"/ok", version=b"HTTP/1.0"), 200, False),
    "HTTP/1.0 without Host": (get(b"/ok", version=b"HTTP/1.0", host=b""), 200, False),
    "encoded letter": (get(b"/%6Fk"), 200, True),
    "POST with a body": (get(b"/ok", b"Content-Length: 3", method=b"POST") + b"abc", 200, True),
    "POST in chunks": (get(b"/ok", b"Transfer-Encoding: chunked", method=b"POST") + b"3\r\nabc\r\n0\r\n\r\n", 200, True),
    "no such repository": (get(b"/nothing"), 404, True),
    "unknown method": (get(b"/ok", method=b"BREW"), 405, True),
    "TRACE": (get(b"/ok", method=b"TRACE"), 405, True),
    "OPTIONS *": (get(b"*", method=b"OPTIONS"), 400, False),
    "no Host": (get(b"/ok", host=b""), 400, False),
    "two Hosts": (get(b"/ok", b"Host: b"), 400, False),
    "equal Hosts": (get(b"/ok", b"Host: a"), 400, False),
    "markup in Host": (get(b"/ok", host=b"Host: a/<x>"), 400, False),
    "user in Host": (get(b"/ok", host=b"Host: u@a"), 400, False),
    "empty Host": (get(b"/ok", host=b"Host:"), 400, False),
    "obs-fold": (get(b"/ok", b"X: a", b" b"), 400, False),
    "first header indented": (get(b"/ok", b" X: a", host=b""), 400, False),
    "absolute-form": (get(b"http://a/ok"), 400, False),
    "CONNECT": (get(b"a:443", method=b"CONNECT"), 400, False),
    "TE on HTTP/1.0": (get(b"/ok", b"Transfer-Encoding: chunked", method=b"POST", version=b"HTTP/1.0"), 400, False),
    "TE identity": (get(b"/ok", b"Transfer-Encoding: identity", method=b"POST"), 400, False),
    "TE gzip": (get(b"/ok", b"Transfer-Encoding: gzip", method=b"POST"), 400, False),
    "TE twice": (get(b"/ok", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", method=b"POST"), 400, False),
    "TE xchunked": (get(b"/ok", b"Transfer-Encoding: xchunked", method=b"POST"), 400, False),
    "CL + TE": (get(b"/ok", b"Content-Length: 3", b"Transfer-Encoding: chunked", method=b"POST"), 400, False),
    "TE + CL": (get(b"/ok", b"Transfer-Encoding: chunked", b"Content-Length: 3", method=b"POST"), 400, False),
    "two lengths": (get(b"/ok", b"Content-Length: 3", b"Content-Length: 4", method=b"POST"), 400, False),
    "equal lengths": (get(b"/ok", b"Content-Length: 3", b"Content-Length: 3", method=b"POST"), 400, False),
    "list of lengths": (get(b"/ok", b"Content-Length: 3, 3", method=b"POST"), 400, False),
    "signed length": (get(b"/ok", b"Content-Length: +3", method=b"POST"), 400, False),
    "negative length": (get(b"/ok", b"Content-Length: -1", method=b"POST"), 400, False),
    "hexadecimal length": (get(b"/ok", b"Content-Length: 0x3", method=b"POST"), 400, False),
    "5000 digits": (get(b"/ok", b"Content-Length: " + b"9" * 5000, method=b"POST"), 400, False),
    "40 digits": (get(b"/ok", b"Content-Length: " + b"9" * 40, method=b"POST"), 413, False),
    "answered before its body": (get(b"/ok", b"Content-Length: 1048577", method=b"POST"), 200, False),
    "GET with a body": (get(b"/ok", b"Content-Length: 3") + b"abc", 200, True),
    "GET with too large a body": (get(b"/ok", b"Content-Length: 65537"), 413, False),
    "DELETE with too large a body": (get(b"/ok", b"Content-Length: 65537", method=b"DELETE"), 413, False),
    "bad chunk size": (get(b"/ok", b"Transfer-Encoding: chunked", method=b"POST") + b"zz\r\n", 400, False),
    "space before the colon": (get(b"/ok", b"X : a"), 400, False),
    "no colon": (get(b"/ok", b"X"), 400, False),
    "NUL in a value": (get(b"/ok", b"X: a\0b"), 400, False),
    "bare CR in a value": (get(b"/ok", b"X: a\rb"), 400, False),
    "600 headers": (get(b"/ok", *[b"X: a"] * 600), 400, False),
    "HTTP/1.9": (get(b"/ok", version=b"HTTP/1.9"), 400, False),
    "HTTP/2.0": (get(b"/ok", version=b"HTTP/2.0"), 400, False),
    "two words": (b"GET /ok\r\nHost: a\r\n\r\n", 400, False),
    "garbage": (b"\x00\x01\x02\r\n\r\n", 400, False),
    "fragment": (get(b"/ok#x"), 400, False),
    "encoded fragment stays in the name": (get(b"/ok/%23x"), 200, True),
    "..": (get(b"/ok/../x"), 400, True),
    "%2e%2e": (get(b"/ok/%2e%2E/x"), 400, True),
    ". alone": (get(b"/ok/./x"), 400, True),
    "%2F..": (get(b"/ok/a%2F..%2Fb"), 400, True),
    "%2F doubled": (get(b"/ok/%2F%2Fx"), 400, True),
    "%00": (get(b"/ok/a%00b"), 400, True),
    "%5c": (get(b"/ok/a%5cb"), 400, True),
    "backslash": (get(b"/ok/a\\b"), 400, True),
    "%0d%0a": (get(b"/ok/a%0d%0ab"), 400, True),
    "invalid UTF-8": (get(b"/ok/%ff"), 400, True),
    "overlong slash": (get(b"/ok/%c0%af"), 400, True),
    "broken escape": (get(b"/ok/%4"), 400, True),
    "raw high byte": (get(b"/ok/\xe4"), 400, None),
    "path of 9 KiB": (get(b"/ok/" + b"a" * 9000), 400, True),
    "target of 17 KiB": (get(b"/ok/?" + b"a" * (17 << 10)), 414, False),
    "target of 70 KiB": (get(b"/ok/?" + b"a" * (70 << 10)), 414, False),
    "header of 70 KiB": (get(b"/ok", b"X: " + b"a" * (70 << 10)), 431, False),
    "headers of 80 KiB": (get(b"/ok", *[b"X: " + b"a" * 8000] * 10), 431, False),
}


@pytest_twisted.ensureDeferred
async def test_raw_requests() -> None:
    """Each request has its status and its end."""

    def talk(client: Client, data: bytes) -> tuple[int, bool]:
        client.send(data)
        return client.reply().status, client.is_open()

    found = {}
    async with Stage(root()) as stage:
        for name, (data, _, _) in CASES.items():
            found[name] = await stage.ask(partial(talk, data=data))
    wrong = {
        name: (found[name], expected)
        for name, (_, status, is_open) in CASES.items()
        if found[name] != (expected := (status, found[name][1] if is_open is None else is_open))
    }
    assert wrong == {}


@pytest_twisted.ensureDeferred
async def test_a_good_request_vouches_for_no_other() -> None:
    """On a connection whose first request was answered, each case is judged as on a new one."""

    def talk(client: Client, data: bytes) -> tuple[int, int]:
        client.send(GOOD)
        first = client.reply().status
        client.send(data)
        return first, client.reply().status

    found = {}
    async with Stage(root()) as stage:
        for name, (data, _, _) in CASES.items():
            found[name] = await stage.ask(partial(talk, data=data))
    assert {name: (200, status) for name, (_, status, _) in CASES.items()} == found


@pytest_twisted.ensureDeferred
async def test_too_large_a_chunked_body_is_refused_and_the_client_reads_why() -> None:
    """The answer arrives although the client goes on sending: no reset takes it away."""

    def work(client: Client) -> tuple[int, str, bool]:
        client.send(get(b"/ok", b"Transfer-Encoding: chunked", method=b"DELETE"))
        piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        for _ in range(8):
            client.send(piece)
        reply = client.reply()
        return reply.status, reply.headers["connection"], client.is_open()

    async with Stage(root()) as stage:
        assert await stage.ask(work) == (413, "close", False)


@pytest_twisted.ensureDeferred
async def test_pipelined_requests_are_answered_in_order() -> None:
    """Three at once, then one behind a refused one: nothing that follows a refusal is answered."""

    def work(client: Client) -> list[bytes]:
        client.send(b"".join(get(b"/ok/%d" % number) for number in range(3)) + get(b"/ok", host=b"") + GOOD)
        bodies = [client.reply().body for _ in range(4)]
        with pytest.raises(ConnectionError):
            client.reply()
        return bodies[:3]

    async with Stage(root()) as stage:
        assert await stage.ask(work) == [b"/ok/0\n", b"/ok/1\n", b"/ok/2\n"]


@pytest_twisted.ensureDeferred
async def test_slow_headers_are_408(monkeypatch: pytest.MonkeyPatch) -> None:
    """However steadily they drip."""
    monkeypatch.setattr(channel, "HEADER_SECONDS", 0.2)

    def work(client: Client) -> int:
        client.socket.settimeout(0.03)
        for byte in GOOD * 3:
            client.send(bytes([byte]) if byte != 10 else b"-")
            try:
                if client.socket.recv(1, 2):  # MSG_PEEK
                    break
            except TimeoutError:
                continue
        client.socket.settimeout(5)
        client.file = client.socket.makefile("rb")
        return client.reply().status

    async with Stage(root()) as stage:
        assert await stage.ask(work) == 408


@pytest_twisted.ensureDeferred
async def test_ends_that_drain_forever_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused client that neither reads nor leaves is gone after a moment."""
    monkeypatch.setattr(channel, "LINGER_SECONDS", 0.1)

    def work(client: Client) -> bytes:
        client.send(get(b"/ok", host=b""))
        client.reply()
        while True:
            try:
                client.socket.sendall(b"x")
            except OSError:
                return b"dropped"

    async with Stage(root()) as stage:
        assert await stage.ask(work) == b"dropped"


@pytest_twisted.ensureDeferred
async def test_unknown_method_says_what_is_allowed() -> None:
    """405 carries Allow."""
    async with Stage(root()) as stage:
        reply = await stage.get(method="BREW")
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")
    assert [request.code for request in stage.recorded] == [405]
