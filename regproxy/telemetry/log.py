"""The access log: one JSON line for each request, who asked what, and where its bytes came from.

Queries and credentials are not written: signed URLs and tokens stand there. Lines are written as they come, each by one write
at the end of a file, so that those of several processes do not mix. The file is opened again on ``reopen`` (logrotate);
without one it is stdout.
"""

import os
import sys
from pathlib import Path

import msgspec
from attrs import define, field
from txaio.tx import make_logger

log = make_logger()


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One request, as it is written. Times are seconds, sizes bytes; ``node`` is empty where no node was touched."""

    ts: float
    request_id: str
    client: str
    method: str
    path: str
    status: int
    bytes: int
    duration: float
    ttfb: float | None = None
    repository: str = ""
    node: str = ""
    cache: str = ""
    user_agent: str = ""


@define(eq=False)
class AccessLog:
    """Writes entries; without a path to stdout."""

    _path: Path | None
    _encoder: msgspec.json.Encoder = field(factory=msgspec.json.Encoder, init=False)
    _descriptor: int = field(default=-1, init=False)

    def write(self, entry: Entry) -> None:
        """Write one line."""
        if self._descriptor < 0:
            self._descriptor = self._open()
        left = memoryview(self._encoder.encode(entry) + b"\n")
        while left:  # more than once only where the other end is a full pipe
            left = left[os.write(self._descriptor, left) :]

    def _open(self) -> int:
        if self._path is None:
            return (sys.__stdout__ or sys.stdout).fileno()
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def reopen(self) -> None:
        """Go on in a new file: the old one was moved away. If that cannot be opened, as without a free descriptor, in the old."""
        try:
            new = self._open()
        except OSError as error:
            log.error("the access log was not opened anew: {error!r}", error=error)  # noqa: TRY400 - one line
            return
        self.close()
        self._descriptor = new

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0 and self._path is not None:
            os.close(self._descriptor)
        self._descriptor = -1
