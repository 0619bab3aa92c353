"""The upstream of the crash runs: a few small bodies, below a path of each run's own, and how often each was sent."""

import hashlib
import random
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_random = random.Random(43)
FIXED, CHUNKED, MUTABLE, OLD, NEW, MORE = (
    _random.randbytes(size) for size in (1_200_000, 150_000, 9_000, 70_000, 90_000, 40_000)
)


class Origin(ThreadingHTTPServer):
    """Answers ``/{run}/{name}``; ``sent`` counts the whole bodies, by path."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.sent: Counter[str] = Counter()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that are killed are what this is for."""

    def body(self, path: str) -> bytes | None:
        """What is there now: ``changing`` is another one from its second request on."""
        changing = NEW if self.sent[path] else OLD
        bodies = {"fixed": FIXED, "chunked": CHUNKED, "mutable": MUTABLE, "changing": changing, "more": MORE}
        return bodies.get(path.rpartition("/")[2])


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Origin

    def do_GET(self) -> None:
        body = self.server.body(self.path)
        if body is None:
            self.send_error(404)
            return
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if self.headers.get("If-None-Match") == etag:
            self._head(304, etag, 0)
            return
        begins = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if begins and self.headers.get("If-Range", etag) == etag:
            self._head(206, etag, len(body) - int(begins[1]), f"bytes {begins[1]}-{len(body) - 1}/{len(body)}")
            self.wfile.write(body[int(begins[1]) :])
            return
        self.server.sent[self.path] += 1
        chunked = self.path.endswith("/chunked")
        self._head(200, etag, None if chunked else len(body))
        if chunked:
            for offset in range(0, len(body), 60_000):
                piece = body[offset : offset + 60_000]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.wfile.write(body)

    def _head(self, status: int, etag: str, length: int | None, content_range: str | None = None) -> None:
        self.send_response(status)
        if content_range is not None:
            self.send_header("Content-Range", content_range)
        self.send_header("ETag", etag)
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@contextmanager
def origin() -> Iterator[Origin]:
    """Serve while the block lasts."""
    server = Origin()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
