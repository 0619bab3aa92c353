"""An origin far away: 50 ms to it and back, 25 MB/s for each connection. ``python -m bench.far PORT FILES LOG``.

A thread for each connection, which sleeps until its next piece is due and lets the kernel send it: far less than a core at
the rates that are measured. A client that was slow is not allowed to catch up. One range of a file is understood.
"""

import os
import re
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

RATE = 25e6
DELAY = 0.05
PIECE = 256 << 10
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class Far(ThreadingHTTPServer):
    """Listens; each connection is late by the time that its handshake would take."""

    daemon_threads = True
    request_queue_size = 1024


class Answer(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    files: ClassVar[Path]
    log: ClassVar[Path]
    _writing: ClassVar[threading.Lock] = threading.Lock()

    def setup(self) -> None:
        """The handshake's way to and fro."""
        time.sleep(DELAY)
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_HEAD(self) -> None:
        """Headers only."""
        self.do_GET()

    def do_GET(self) -> None:
        """A file, or one range of it."""
        time.sleep(DELAY)
        file = self.files / self.path.lstrip("/")
        if self.path == "/v2/" or not file.is_file():
            self._empty(200 if self.path == "/v2/" else 404)
            return
        size = file.stat().st_size
        begin, end, status = span(self.headers.get("Range"), size)
        self.send_response(status)
        self.send_header("Content-Length", str(end - begin))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{file.name}"')
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        if status == 206:
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{size}")
        self.end_headers()
        if self.command == "GET":
            self._body(file, begin, end, status)

    def _empty(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _body(self, file: Path, begin: int, end: int, status: int) -> None:
        due, position = time.monotonic(), begin
        try:
            with file.open("rb") as source:
                while position < end:
                    wait = due - time.monotonic()
                    if wait > 0:
                        time.sleep(wait)
                    sent = os.sendfile(self.connection.fileno(), source.fileno(), position, min(PIECE, end - position))
                    position += sent
                    due = max(due, time.monotonic() - PIECE / RATE) + sent / RATE
        except OSError:
            self.close_connection = True
        with self._writing, self.log.open("a", encoding="ascii") as log:
            log.write(f"GET {status} {position - begin} {self.path} -\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """The log is of bytes."""


def span(asked: str | None, size: int) -> tuple[int, int, int]:
    """First byte, end and status of what was asked for."""
    seen = _RANGE.fullmatch(asked or "")
    if seen is None or int(seen[1]) >= size:
        return 0, size, 200
    return int(seen[1]), min(size, int(seen[2]) + 1) if seen[2] else size, 206


def main() -> None:
    """Serve until somebody ends it."""
    Answer.files, Answer.log = Path(sys.argv[2]), Path(sys.argv[3])
    Far(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()


if __name__ == "__main__":
    main()
