"""Group H: what clients ask for, and how."""

import socket

from tests.fakes.crowd import Client
from tests.faults.scene import KIB, MIB, Item, Scene, case, check_all_right, check_truth


@case(56, "parallel ranges of a cold artifact")
def parallel(scene: Scene) -> None:
    """As containerd asks for a layer: each part is right; upstream sends about one body, in however many pieces."""
    item = scene.offer()
    size, before = len(item.data), scene.upstream.written
    step = 8 * MIB if scene.scale.full else MIB
    clients = [Client(fields=(f"Range: bytes={start}-{min(start + step, size) - 1}",)) for start in range(0, size, step)]
    scene.crowd(item, clients)
    check_all_right(clients)
    assert {client.status for client in clients} == {206}, sorted({client.status for client in clients})
    sent = scene.upstream.written - before
    assert sent <= 1.5 * size, f"upstream sent {sent / size:.1f} bodies in {scene.fetches(item)} answers"
    scene.check_kept(item)


def _check_range(scene: Scene, item: Item, asked: str, expected: tuple[int, int] | None) -> None:
    client = scene.get(item, f"Range: {asked}")
    size = len(item.data)
    if expected is None:
        assert (client.status, client.got) == (200, size), f"{asked}: status {client.status}, {client.got} bytes"
    else:
        start, stop = expected
        said = f"bytes {start}-{stop - 1}/{size}"
        seen = (client.status, client.headers.get("content-range"))
        assert seen == (206, said), f"{asked}: {seen}"
    assert client.right, f"{asked}: the bytes are wrong"


SIZE = 100_000
RANGES: dict[str, tuple[int, int] | None] = {
    "bytes=0-": (0, SIZE),
    "bytes=0-0": (0, 1),
    "bytes=500-999": (500, 1000),
    "bytes=99999-": (SIZE - 1, SIZE),
    "bytes=99000-200000": (99_000, SIZE),
    "bytes=-500": (SIZE - 500, SIZE),
    "bytes=-200000": (0, SIZE),
    "pages=1-2": None,
    "bytes=5-2": None,
}


def _ranges(title: str, *, cold: bool) -> None:
    @case(57, f"ranges of a {title} artifact")
    def ranges(scene: Scene) -> None:
        """Right bytes and headers for every form of a range."""
        warm = scene.offer(data=scene.data(SIZE))
        check_all_right([scene.get(warm)])
        for asked, expected in RANGES.items():
            _check_range(scene, scene.offer(data=scene.data(SIZE)) if cold else warm, asked, expected)

    @case(57, f"ranges behind the end of a {title} artifact")
    def beyond(scene: Scene) -> None:
        """416, with the size."""
        item = scene.offer(data=scene.data(SIZE))
        if not cold:
            check_all_right([scene.get(item)])
        client = scene.get(item, f"Range: bytes={SIZE}-")
        assert client.status == 416, f"status {client.status}"
        assert client.headers.get("content-range") == f"bytes */{SIZE}", client.headers.get("content-range")


def _harder(title: str, *, cold: bool) -> None:
    @case(57, f"several ranges of a {title} artifact")
    def several(scene: Scene) -> None:
        """One part for each; or all of it."""
        item = scene.offer(data=scene.data(SIZE))
        if not cold:
            check_all_right([scene.get(item)])
        client = scene.get(item, "Range: bytes=0-99,200-299,-100")
        assert client.clean, f"status {client.status}, {client.got} bytes"
        if client.status == 206:
            body = bytes(client.body)
            wanted = (item.data[:100], item.data[200:300], item.data[-100:])
            places = [body.find(part) for part in wanted]
            assert -1 not in places, "a part is missing"
            assert places == sorted(places), "the parts are in another order"
        else:
            assert client.right, f"status {client.status}"

    @case(57, f"If-Range of a {title} artifact")
    def conditional(scene: Scene) -> None:
        """With another validator the whole is sent; with its own, the part."""
        item = scene.offer(data=scene.data(SIZE))
        if not cold:
            check_all_right([scene.get(item)])
        other = scene.get(item, "Range: bytes=10-19", 'If-Range: "another"')
        assert (other.status, other.right) == (200, True), f"another validator: status {other.status}"
        etag = other.headers.get("etag")
        if etag and not etag.startswith("W/"):
            own = scene.get(item, "Range: bytes=10-19", f"If-Range: {etag}")
            assert (own.status, own.right) == (206, True), f"its own validator: status {own.status}"


for _name in ("cold", "warm"):
    _ranges(_name, cold=_name == "cold")
    _harder(_name, cold=_name == "cold")


@case(58, "a storm of HEADs beside GETs of many shards")
def shards(scene: Scene) -> None:
    """One fetch for each shard, whoever asks; a HEAD brings no body in."""
    count, hosts = (80, 50) if scene.scale.full else (16, 6)
    items = [scene.offer(data=scene.data(256 * KIB)) for _ in range(count)]
    gets = [Client(path=item.path) for item in items for _ in range(hosts)]
    heads = [Client(path=item.path, method="HEAD") for item in items for _ in range(hosts)]
    # The expected bytes differ by shard, so each shard's clients are compared by a crowd of their own.
    for item in items:
        mine = [client for client in (*heads, *gets) if client.path in {item.path, scene.address(item.path)}]
        check_all_right(scene.crowd(item, mine))
    most = max(scene.fetches(item) for item in items)
    assert most == 1, f"upstream was asked {most} times for one shard"


SMUGGLED = {
    "length and chunks": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: 44\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a coding that hides": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    "a space before the colon": b"Content-Length : 44\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a signed length": b"Content-Length: +44\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


def _smuggled(title: str) -> None:
    @case(59, f"a request with {title}")
    def smuggled(scene: Scene) -> None:
        """Refused, and the connection closed: nothing behind it is a request."""
        item = scene.offer(data=scene.data(1 * KIB))
        with socket.create_connection(("127.0.0.1", scene.port), timeout=10) as sock:
            sock.sendall(f"POST {scene.address(item.path)} HTTP/1.1\r\nHost: localhost\r\n".encode() + SMUGGLED[title])
            answer = b""
            try:
                while data := sock.recv(65536):
                    answer += data
            except TimeoutError:
                raise AssertionError("the connection stays open") from None
            except OSError:
                pass  # reset: as good as closed
        assert answer.count(b"HTTP/1.1 ") + answer.count(b"HTTP/1.0 ") <= 1, "two answers to one request"
        assert answer[9:12] in {b"400", b"501", b""}, f"it was answered with {answer[:40]!r}"
        assert scene.upstream.count("/smuggled") == 0, "the hidden request went upstream"


for _title in SMUGGLED:
    _smuggled(_title)


@case(59, "one length out, whatever came in")
def one_length(scene: Scene) -> None:
    """An answer has one framing."""
    item = scene.offer(data=scene.data(4 * KIB))
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", scene.port), timeout=10) as sock:
            sock.sendall(f"GET {scene.address(item.path)} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while data := sock.recv(65536):
                answer += data
        head = answer.partition(b"\r\n\r\n")[0].lower()
        assert head.count(b"\r\ncontent-length:") + head.count(b"\r\ntransfer-encoding:") == 1, head
    check_truth([scene.get(item)])
