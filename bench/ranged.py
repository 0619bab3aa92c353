"""One range of a blob, with every byte compared. Servers that ignore ranges are read from the start to the range's end."""

import ctypes
import time

from attrs import frozen

from bench.blobs import Check
from bench.client import BUFFER, connect


@frozen
class Span:
    """Bytes of a blob."""

    first: int
    size: int


class WrongBytesError(ValueError):
    """What came is not what the file has there."""


def fetch(port: int, path: str, check: Check, span: Span) -> float:
    """Seconds until the last byte of a range has come, over a connection of its own."""
    buffer = bytearray(BUFFER)
    view, address = memoryview(buffer), ctypes.addressof((ctypes.c_char * BUFFER).from_buffer(buffer))
    began = time.perf_counter()
    connection = connect(port)
    try:
        asked = f"bytes={span.first}-{span.first + span.size - 1}"
        connection.request("GET", path, headers={"Range": asked, "Connection": "close"})
        answer = connection.getresponse()
        if answer.status not in (200, 206):
            raise WrongBytesError(f"{answer.status} {answer.read(300)!r}")
        position, end = (span.first if answer.status == 206 else 0), span.first + span.size
        while position < end:
            count = answer.readinto(view[: min(BUFFER, end - position)])
            if not count or not check.same(position, address, count):
                raise WrongBytesError(f"wrong at byte {position} of {asked}")
            position += count
    finally:
        connection.close()
    return time.perf_counter() - began
