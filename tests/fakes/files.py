"""A plain HTTP upstream with a few files, in threads: what a generic remote, and a crowd, need of one."""

import hashlib
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 1 << 20


class Files(ThreadingHTTPServer):
    """Serves ``contents`` by path, with strong ETags; ``asked`` counts (method, path).

    ``Range: bytes=N-`` is obeyed; ``ranges`` has each N by path, None for a request for the whole.
    While ``hold`` is cleared, bodies stop behind their first half.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, contents: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.contents = contents
        self.etags = {path: hashlib.sha256(data).hexdigest() for path, data in contents.items()}
        self.asked: Counter[tuple[str, str]] = Counter()
        self.ranges: defaultdict[str, list[int | None]] = defaultdict(list)
        self.media_type = "application/octet-stream"
        self.hold = threading.Event()
        self.hold.set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Files

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        self.server.asked[self.command, path] += 1
        data = self.server.contents.get(path)
        if data is None:
            self.send_error(404)
            return
        etag = f'"{self.server.etags[path]}"'
        unchanged = self.headers.get("If-None-Match") == etag
        start = self._start(etag)
        self.server.ranges[path].append(start)
        self.send_response(304 if unchanged else 200 if start is None else 206)
        if start is not None:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("ETag", etag)
        self.send_header("Last-Modified", "Sat, 01 Jan 2000 00:00:00 GMT")
        if self.server.media_type:
            self.send_header("Content-Type", self.server.media_type)
        self.send_header("Content-Length", "0" if unchanged else str(len(data) - (start or 0)))
        self.end_headers()
        if body and not unchanged:
            view = memoryview(data)
            for offset in range(start or 0, len(data), PIECE):
                if offset >= len(data) // 2:
                    self.server.hold.wait()
                self.wfile.write(view[offset : offset + PIECE])

    def _start(self, etag: str) -> int | None:
        asked = self.headers.get("Range", "")
        if not asked.startswith("bytes=") or not asked.endswith("-") or self.headers.get("If-Range", etag) != etag:
            return None
        return int(asked[6:-1])

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@contextmanager
def serving(contents: dict[str, bytes]) -> Iterator[Files]:
    """Serve files while the block lasts."""
    server = Files(contents)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def remote(url: str, *lines: str) -> str:
    """The configuration of a generic remote ``files``."""
    return "\n".join(['[[repository]]\nkey = "files"\nrclass = "remote"\npackageType = "generic"', f'url = "{url}"', *lines])
