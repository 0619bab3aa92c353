"""The access log: one JSON line for each request, who asked what, and where its bytes came from.

Queries and credentials are not written: signed URLs and tokens stand there. Lines are written as they come, unbuffered by
us, to a file that is opened again on ``reopen`` (logrotate), or to stdout.
"""

import sys
from pathlib import Path
from typing import TextIO

import msgspec
from attrs import define, field


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
    _file: TextIO | None = field(default=None, init=False)

    def write(self, entry: Entry) -> None:
        """Write one line."""
        if self._file is None:
            own = sys.__stdout__ or sys.stdout
            self._file = own if self._path is None else self._path.open("a", encoding="utf-8", buffering=1)
        self._file.write(self._encoder.encode(entry).decode() + "\n")
        if self._path is None:
            self._file.flush()

    def reopen(self) -> None:
        """Go on in a new file: the old one was moved away."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None and self._path is not None:
            self._file.close()
        self._file = None
