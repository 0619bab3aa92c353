"""An origin in threads: ranges with validators, known or unknown lengths, bodies that wait where a test says so."""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 64 << 10


class Origin(ThreadingHTTPServer):
    """Serves ``contents`` by path.

    Attributes:
        chunked: send bodies without a length.
        validated: with strong ETags, and Range.
        gates: (path, offset) → an event that is waited for before the byte at the offset is sent.
        asked: (path, Range or "") of every request, in order.
        pause: seconds between pieces of a body.
        sent: bytes of bodies that were given to sockets, by path.
        wrong: path → bytes that ranges are answered with instead: an upstream that lies the second time.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, contents: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.contents = contents
        self.chunked = False
        self.validated = True
        self.gates: dict[tuple[str, int], threading.Event] = {}
        self.pause = 0.0
        self.asked: list[tuple[str, str]] = []
        self.sent: dict[str, int] = {}
        self.wrong: dict[str, bytes] = {}

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Origin

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        asked = self.headers.get("Range") or ""
        self.server.asked.append((path, asked))
        data = self.server.contents.get(path)
        if data is None:
            self.send_error(404)
            return
        etag = f'"{hashlib.sha256(data).hexdigest()}"'
        ranged = asked and self.server.validated and self.headers.get("If-Range", etag) == etag
        start = int(asked.removeprefix("bytes=").partition("-")[0]) if ranged else 0
        self.send_response(206 if ranged else 200)
        self.send_header("Content-Type", "application/octet-stream")
        if self.server.validated:
            self.send_header("ETag", etag)
        if ranged:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if self.server.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self._body(path, self.server.wrong.get(path, data) if ranged else data, start)

    def _body(self, path: str, data: bytes, start: int) -> None:
        for offset in range(start, len(data), PIECE):
            gate = self.server.gates.get((path, offset))
            if gate is not None:
                gate.wait(60)
            time.sleep(self.server.pause)
            piece = data[offset : offset + PIECE]
            try:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if self.server.chunked else piece)
            except OSError:
                self.close_connection = True
                return
            self.server.sent[path] = self.server.sent.get(path, 0) + len(piece)
        if self.server.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@contextmanager
def origin(contents: dict[str, bytes]) -> Iterator[Origin]:
    """Serve while the block lasts."""
    server = Origin(contents)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        for gate in server.gates.values():
            gate.set()
        server.shutdown()
        server.server_close()
        thread.join()
