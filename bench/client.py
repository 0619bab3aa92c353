"""A client that costs little: one socket, one buffer, every byte compared with the file."""

import ctypes
import socket
import sys
import time
from pathlib import Path

import msgspec

from bench.blobs import Blob, Check

BUFFER = 1 << 20


class Sample(msgspec.Struct, frozen=True):
    """One download: seconds to the first byte of the body and to the last; ``good`` only if every byte was right."""

    first: float
    total: float
    good: bool


def _head(sock: socket.socket) -> tuple[bytes, bytes]:
    seen = b""
    while b"\r\n\r\n" not in seen:
        more = sock.recv(65536)
        if not more:
            raise ConnectionError("no headers")
        seen += more
    head, _, body = seen.partition(b"\r\n\r\n")
    return head, body


def download(port: int, path: str, check: Check) -> Sample:
    """Get a blob once."""
    buffer = bytearray(BUFFER)
    pin = (ctypes.c_char * BUFFER).from_buffer(buffer)
    address = ctypes.addressof(pin)
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        head, body = _head(sock)
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise ConnectionError(head.split(b"\r\n")[0].decode("latin-1"))
        if not body:
            body = sock.recv(65536)
        first = time.perf_counter() - began
        buffer[: len(body)] = body
        position, good = len(body), bool(body) and check.same(0, address, len(body))
        while good and position < check.size:
            count = sock.recv_into(buffer)
            if not count:
                break
            good = check.same(position, address, count)
            position += count
    return Sample(first, time.perf_counter() - began, good and position == check.size)


def main() -> None:
    """``python -m bench.client PORT PATH FILE``: print one sample as JSON; waits for a line on stdin before it begins."""
    port, path, file = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    check = Check(Blob(file, path, file.stat().st_size))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write(msgspec.json.encode(download(port, path, check)).decode() + "\n")


if __name__ == "__main__":
    main()
