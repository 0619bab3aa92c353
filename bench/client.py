"""A client that costs little: one thread a connection, one buffer each, every byte compared with the file.

``python -m bench.client [--ca CA] PORT PATH=FILE…`` says ``ready``, waits for a line on stdin, gets all of these at once
and prints the samples as JSON. With an authority's certificate it speaks TLS.
"""

import argparse
import ctypes
import http.client
import ssl
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.blobs import Check, blob_of

BUFFER = 1 << 20
TIMEOUT = 600


class Sample(msgspec.Struct, frozen=True):
    """One download: seconds to the first byte of the body and to the last; ``good`` only if every byte was right."""

    first: float
    total: float
    good: bool
    cipher: str = ""


def connect(port: int, context: ssl.SSLContext | None = None) -> http.client.HTTPConnection:
    """A connection that is not open yet."""
    if context is None:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=TIMEOUT, context=context)


def download(port: int, path: str, check: Check, context: ssl.SSLContext | None = None, first_byte: int | None = None) -> Sample:
    """Get a blob once; with ``first_byte`` only the end of it that begins there."""
    buffer = bytearray(BUFFER)
    view, address = memoryview(buffer), ctypes.addressof((ctypes.c_char * BUFFER).from_buffer(buffer))
    began = time.perf_counter()
    connection = connect(port, context)
    try:
        ranged = {} if first_byte is None else {"Range": f"bytes={first_byte}-"}
        connection.request("GET", path, headers={"Connection": "close", **ranged})
        spoken = connection.sock.cipher() if isinstance(connection.sock, ssl.SSLSocket) else None
        answer = connection.getresponse()
        if answer.status != (200 if first_byte is None else 206):
            raise ConnectionError(f"{answer.status} {answer.read(500)!r}")
        count = answer.readinto(view[:1])
        first = time.perf_counter() - began
        position, good = first_byte or 0, True
        while count and good:
            good = check.same(position, address, count)
            position += count
            count = answer.readinto(view)
    finally:
        connection.close()
    return Sample(first, time.perf_counter() - began, good and position == check.size, spoken[0] if spoken else "")


def several(port: int, wanted: Sequence[tuple[str, Check]], context: ssl.SSLContext | None) -> Sequence[Sample]:
    """Get these at once, each over a connection of its own."""
    samples: list[Sample] = []

    def one(path: str, check: Check) -> None:
        try:
            samples.append(download(port, path, check, context))
        except (OSError, http.client.HTTPException) as error:
            sys.stderr.write(f"{error!r}\n")

    threads = [threading.Thread(target=one, args=each) for each in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return samples


def main() -> None:
    """One process of clients."""
    parser = argparse.ArgumentParser(prog="python -m bench.client")
    parser.add_argument("--ca")
    parser.add_argument("port", type=int)
    parser.add_argument("wanted", nargs="+", metavar="PATH=FILE")
    options = parser.parse_args()
    context = ssl.create_default_context(cafile=options.ca) if options.ca else None
    pairs = [each.split("=", 1) for each in options.wanted]
    checks = {file: Check(blob_of(Path(file))) for _, file in pairs}
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    samples = several(options.port, [(path, checks[file]) for path, file in pairs], context)
    sys.stdout.write(msgspec.json.encode(samples).decode() + "\n")


if __name__ == "__main__":
    main()
