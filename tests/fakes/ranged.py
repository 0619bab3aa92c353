"""A plain HTTP upstream of one large file that honours ranges, as far away as a test wants it: delayed, paced, held.

In threads, one for each connection. It remembers every request, how many connections there were, and how many at once.
"""

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from attrs import define, field, frozen

PIECE = 64 << 10
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@frozen
class Sent:
    """What one request got."""

    status: int
    start: int
    stop: int


@define(eq=False)
class Manner:
    """How it behaves; a test may change it at any time.

    Attributes:
        delay: seconds before each answer.
        pace: bytes a second for each connection; 0: as fast as it goes.
        hold_at: bytes of a full body before it waits for ``released``.
        refuse: after so many requests, 429 to every range.
        ranges: whether it knows them.
        etag: of the file.
    """

    delay: float = 0.0
    pace: float = 0.0
    hold_at: int | None = None
    refuse: int | None = None
    ranges: bool = True
    etag: str = '"v1"'
    released: threading.Event = field(factory=threading.Event)


class Ranged(ThreadingHTTPServer):
    """Serves ``data`` at every path; ``layer`` is one that says what it is."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, data: bytes, manner: Manner) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.data, self.manner = data, manner
        self.layer = f"/v2/registry/image/blobs/sha256:{hashlib.sha256(data).hexdigest()}"
        self.lock = threading.Lock()
        self.sent: list[Sent] = []
        self.connections = 0
        self.open = 0
        self.most_open = 0
        self.bytes_out = 0

    @property
    def registry(self) -> str:
        """The configuration of a remote ``registry``, where ``layer`` is."""
        return f'[[repository]]\nkey = "registry"\nrclass = "remote"\npackageType = "docker"\nurl = "{self.url}"\n'

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """A client that leaves is none."""


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Ranged

    def setup(self) -> None:
        super().setup()
        with self.server.lock:
            self.server.connections += 1

    def do_HEAD(self) -> None:
        self._head(200, 0, len(self.server.data))

    def do_GET(self) -> None:
        server, manner = self.server, self.server.manner
        time.sleep(manner.delay)
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        whole = not asked or not manner.ranges or self.headers.get("If-Range", manner.etag) != manner.etag
        start = 0 if whole or asked is None else int(asked[1])
        stop = len(server.data) if whole or asked is None or not asked[2] else int(asked[2]) + 1
        refused = asked is not None and manner.refuse is not None and len(server.sent) >= manner.refuse
        status = 429 if refused else 200 if whole else 206
        with server.lock:
            server.sent.append(Sent(status, start, stop))
            server.open += 1
            server.most_open = max(server.most_open, server.open)
        try:
            if refused:
                self.send_response(429)
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                self._head(status, start, stop)
                self._body(start, stop, held=whole)
        finally:
            with server.lock:
                server.open -= 1

    def _head(self, status: int, start: int, stop: int) -> None:
        server = self.server
        self.send_response(status)
        self.send_header("ETag", server.manner.etag)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(stop - start))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(server.data)}")
        self.end_headers()

    def _body(self, start: int, stop: int, *, held: bool) -> None:
        manner, view = self.server.manner, memoryview(self.server.data)
        began, first = time.monotonic(), start
        for offset in range(start, stop, PIECE):
            is_held = held and manner.hold_at is not None and offset >= manner.hold_at
            if is_held and not manner.released.is_set():
                manner.released.wait(30)
                began, first = time.monotonic(), offset
            if manner.pace:
                time.sleep(max(0.0, began + (offset - first) / manner.pace - time.monotonic()))
            piece = view[offset : min(stop, offset + PIECE)]
            self.wfile.write(piece)
            with self.server.lock:
                self.server.bytes_out += len(piece)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@contextmanager
def ranged(data: bytes, **manner: object) -> Iterator[Ranged]:
    """Serve a file while the block lasts; ``manner`` is what ``Manner`` takes."""
    server = Ranged(data, Manner(**manner))  # type: ignore[arg-type] # keyword for keyword
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.manner.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
