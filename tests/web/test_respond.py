"""Bodies over real sockets: whole, in ranges, conditionally, while they grow, and cut short."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet.task import deferLater

from regproxy.model.head import Head
from regproxy.model.ranges import Span
from regproxy.repo.interface import Answer, Body, Origin
from regproxy.stream.growing import GrowingBlob
from regproxy.stream.stored import StoredBlob
from regproxy.web.request import ProxyRequest
from tests.fakes.site import Answering, Client, Reply, Stage, reactor

DATA = bytes(range(256)) * 4096
SIZE = len(DATA)
ETAG = '"abc"'
DATE = "Mon, 01 Jan 2024 00:00:00 GMT"
HEAD = Head(SIZE, "application/zip", ETAG, DATE)


@define(eq=False)
class Opened:
    """An open file, as the store gives one."""

    path: Path
    closed: int = 0
    _fd: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._fd = os.open(self.path, os.O_RDONLY)

    @property
    def size(self) -> int:
        """Bytes in it."""
        return os.fstat(self._fd).st_size

    def fileno(self) -> int:
        """The descriptor."""
        return self._fd

    def close(self) -> None:
        """Let it go."""
        self.closed += 1
        os.close(self._fd)


@define(eq=False)
class Shop:
    """Answers with one file, however often."""

    path: Path
    head: Head = HEAD
    resumable: bool = True
    opened: list[Opened] = field(factory=list)

    def __call__(self, request: ProxyRequest) -> Answer:
        """Open it."""
        reader = Opened(self.path)
        self.opened.append(reader)
        return Body(self.head, StoredBlob(reader, lambda: None), Origin.HIT, age=7, resumable=self.resumable)

    def closed(self) -> list[int]:
        """How often each was closed."""
        return [reader.closed for reader in self.opened]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A shop with ``DATA``."""
    path = tmp_path / "blob"
    path.write_bytes(DATA)
    return Shop(path)


async def ask(shop: Shop, *fields: str, method: str = "GET", sendfile: bool = True) -> Reply:
    """One request."""
    async with Stage(Answering(shop, sendfile=sendfile)) as stage:
        return await stage.get(*fields, method=method)


@pytest_twisted.ensureDeferred
async def test_whole(shop: Shop) -> None:
    """Everything, with the headers that describe it; the file is closed once."""
    reply = await ask(shop)
    shown = {name: reply.headers.get(name) for name in ("content-type", "etag", "last-modified", "accept-ranges", "age")}
    assert (reply.status, reply.body) == (200, DATA)
    assert shown == {
        "content-type": "application/zip",
        "etag": ETAG,
        "last-modified": DATE,
        "accept-ranges": "bytes",
        "age": "7",
    }
    assert reply.headers["x-regproxy-cache"] == "hit"
    assert shop.closed() == [1]


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [
        ("text/html; charset=utf-8", "sandbox allow-downloads"),
        ("application/xhtml+xml", "sandbox allow-downloads"),
        ("IMAGE/SVG+XML", "sandbox allow-downloads"),
        ("application/zip", None),
        (None, None),
    ],
)
@pytest_twisted.ensureDeferred
async def test_no_script_runs_here(shop: Shop, media_type: str | None, expected: str | None) -> None:
    """A page that an upstream has sent would ask this server for whatever its reader may."""
    shop.head = Head(SIZE, media_type)
    reply = await ask(shop)
    shown = [reply.headers.get(name) for name in ("content-security-policy", "x-content-type-options")]
    assert [expected, "nosniff"] == shown


@pytest_twisted.ensureDeferred
async def test_head_has_the_headers_of_get(shop: Shop) -> None:
    """But for the request's own id and the clock."""
    async with Stage(Answering(shop)) as stage:
        got, head = await stage.get(), await stage.get(method="HEAD")
    for reply in (got, head):
        del reply.headers["x-request-id"], reply.headers["date"]
    assert head.headers == got.headers
    assert shop.closed() == [1, 1]


RANGES = {
    "bytes=0-0": Span(0, 1),
    "bytes=5-9": Span(5, 10),
    "bytes=100-": Span(100, SIZE),
    "bytes=-10": Span(SIZE - 10, SIZE),
    "bytes=10-99999999999": Span(10, SIZE),
}


@pytest_twisted.ensureDeferred
async def test_ranges(shop: Shop) -> None:
    """Closed, open and suffix ranges, by the kernel and by copying."""
    for sendfile in (True, False):
        for asked, span in RANGES.items():
            reply = await ask(shop, f"Range: {asked}", sendfile=sendfile)
            assert (reply.status, reply.body) == (206, DATA[span.start : span.stop])
            assert reply.headers["content-range"] == f"bytes {span.start}-{span.stop - 1}/{SIZE}"
    assert set(shop.closed()) == {1}


@pytest_twisted.ensureDeferred
async def test_range_beyond_the_end(shop: Shop) -> None:
    """416 says how long the body is, and does not describe it as the error's."""
    reply = await ask(shop, f"Range: bytes={SIZE}-")
    assert (reply.status, reply.headers["content-range"]) == (416, f"bytes */{SIZE}")
    assert "etag" not in reply.headers
    assert shop.closed() == [1]


@pytest_twisted.ensureDeferred
async def test_several_ranges(shop: Shop) -> None:
    """One part for each, in their order, never merged."""
    reply = await ask(shop, "Range: bytes=5-9,0-6,-3")
    boundary = reply.headers["content-type"].partition("boundary=")[2].encode()
    parts = reply.body.split(b"--" + boundary)
    assert (reply.status, parts[0], parts[-1]) == (206, b"\r\n", b"--\r\n")
    found = []
    for part in parts[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        found.append((head.partition(b"Content-Range: ")[2], data[:-2]))
    assert found == [
        (b"bytes 5-9/%d" % SIZE, DATA[5:10]),
        (b"bytes 0-6/%d" % SIZE, DATA[:7]),
        (b"bytes %d-%d/%d" % (SIZE - 3, SIZE - 1, SIZE), DATA[-3:]),
    ]


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (ETAG, 206),
        ('"other"', 200),
        ('W/"abc"', 200),
        ("Sun, 31 Dec 2023 00:00:00 GMT", 200),
    ],
)
@pytest_twisted.ensureDeferred
async def test_if_range(shop: Shop, value: str, status: int) -> None:
    """A range of another body is not given."""
    reply = await ask(shop, "Range: bytes=0-9", f"If-Range: {value}")
    assert (reply.status, len(reply.body)) == (status, 10 if status == 206 else SIZE)


@pytest_twisted.ensureDeferred
async def test_not_modified(shop: Shop) -> None:
    """304 without a body; another ETag gets the body; the file is closed either way."""
    async with Stage(Answering(shop)) as stage:
        statuses = [(await stage.get(f"If-None-Match: {value}")).status for value in (ETAG, f'W/{ETAG}, "x"', "*", '"other"')] + [
            (await stage.get(f"If-Modified-Since: {DATE}")).status,
            (await stage.get('If-Match: "other"')).status,
        ]
    assert statuses == [304, 304, 304, 200, 304, 412]
    assert set(shop.closed()) == {1}


@pytest_twisted.ensureDeferred
async def test_what_failed_once_is_not_resumed(shop: Shop) -> None:
    """A Range that does not begin at 0 is answered in full."""
    shop.resumable = False
    assert (await ask(shop, "Range: bytes=5-")).status == 200
    assert (await ask(shop, "Range: bytes=0-4")).status == 206


@pytest_twisted.ensureDeferred
async def test_both_ways_of_sending_agree(shop: Shop) -> None:
    """The kernel and the copy."""
    assert (await ask(shop)).body == (await ask(shop, sendfile=False)).body == DATA


@pytest_twisted.ensureDeferred
async def test_pipelined_and_kept_alive(shop: Shop) -> None:
    """Requests behind a body of the kernel's are answered on the same connection."""
    request = b"GET /f HTTP/1.1\r\nHost: a\r\n\r\n"

    def work(client: Client) -> list[bytes]:
        client.send(request * 3)
        bodies = [client.reply().body for _ in range(3)]
        client.send(request)
        return [*bodies, client.reply().body]

    for sendfile in (True, False):
        async with Stage(Answering(shop, sendfile=sendfile)) as stage:
            assert await stage.ask(work) == [DATA] * 4


@pytest_twisted.ensureDeferred
async def test_a_client_that_leaves_lets_the_file_go(tmp_path: Path) -> None:
    """In the middle of a body that does not fit into the sockets' buffers."""
    path = tmp_path / "large"
    path.write_bytes(b"")
    os.truncate(path, 64 << 20)
    shop = Shop(path, Head(64 << 20))

    def work(client: Client) -> None:
        client.send(b"GET /f HTTP/1.1\r\nHost: a\r\n\r\n")
        client.file.read(1000)

    for sendfile in (True, False):
        async with Stage(Answering(shop, sendfile=sendfile)) as stage:
            await stage.ask(work, small=True)
            await until(lambda: stage.recorded != [])
    assert shop.closed() == [1, 1]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something to be so."""
    for _ in range(500):
        if condition():
            return
        await deferLater(reactor, 0.01, lambda: None)
    raise AssertionError("it did not become so")


@pytest.fixture
def growing(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A spool."""
    path = tmp_path / "spool"
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    yield fd, path
    os.close(fd)


async def grow(fd: int, *, length: int | None, good: bool, sendfile: bool, withheld: bool = False) -> Reply | str:
    """Follow a blob that grows by quarters, and then succeeds or fails."""
    blob = GrowingBlob.over(fd, length, withheld=withheld)
    body = Body(Head(length), blob.hold(), Origin.FILL)

    def quarter(number: int) -> None:
        if number == 4:
            if good:
                blob.succeed()
            else:
                blob.fail(ValueError("wrong"))
            blob.release()
            return
        start, stop = number * SIZE // 4, (number + 1) * SIZE // 4
        if number < 3 or good or withheld:
            os.pwrite(fd, DATA[start:stop], start)
            blob.wrote(Span(start, stop))
        reactor.callLater(0.02, quarter, number + 1)

    def work(client: Client) -> Reply | str:
        client.send(b"GET /f HTTP/1.1\r\nHost: a\r\n\r\n")
        try:
            return client.reply()
        except ConnectionError as error:
            return f"cut: {error}"

    reactor.callLater(0.05, quarter, 0)
    async with Stage(Answering(lambda request: body, sendfile=sendfile)) as stage:
        got: Reply | str = await stage.ask(work)
    return got


@pytest.mark.parametrize("sendfile", [True, False])
@pytest.mark.parametrize("length", [SIZE, None])
@pytest.mark.parametrize("withheld", [True, False])
@pytest_twisted.ensureDeferred
async def test_followed_while_it_grows(growing: tuple[int, Path], length: int | None, *, sendfile: bool, withheld: bool) -> None:
    """With and without a known length: every byte, once."""
    reply = await grow(growing[0], length=length, good=True, sendfile=sendfile, withheld=withheld)
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body) == (200, DATA)
    assert (reply.headers.get("transfer-encoding") == "chunked") == (length is None)


@pytest.mark.parametrize("sendfile", [True, False])
@pytest.mark.parametrize("length", [SIZE, None])
@pytest.mark.parametrize("withheld", [True, False])
@pytest_twisted.ensureDeferred
async def test_a_failure_never_ends_well(
    growing: tuple[int, Path], length: int | None, *, sendfile: bool, withheld: bool
) -> None:
    """Short of its length, or chunks without a last one, though every byte had come before the verdict."""
    reply = await grow(growing[0], length=length, good=False, sendfile=sendfile, withheld=withheld)
    if isinstance(reply, Reply):
        assert length == SIZE
        assert len(reply.body) < SIZE
    else:
        assert reply.startswith("cut")
