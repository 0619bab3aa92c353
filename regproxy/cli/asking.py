"""Asks a running server over ``dataDir/control.sock``; blocking, for the command line."""

import http.client
import socket
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from regproxy.control import SOCKET, Draining, LiveFill

T = TypeVar("T")

SECONDS = 10.0
GC_SECONDS = 24 * 3600.0


class NotRunningError(Exception):
    """Nobody serves this data directory, or not to this user."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path: Path, seconds: float = SECONDS) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def fetches(data_dir: Path) -> list[LiveFill]:
    """The live fills; ``NotRunningError`` where there is nobody to ask."""
    return _ask(data_dir, "GET", "/fetches", list[LiveFill])


def drain(data_dir: Path) -> Draining:
    """Begin to end the server, or see how far that is; ``NotRunningError`` where there is none, any more."""
    return _ask(data_dir, "POST", "/drain", Draining)


def ask(data_dir: Path, path: str, target: str, kind: type[T], seconds: float = SECONDS) -> T:
    """Give a command; ``NotRunningError`` where there is nobody to give it to, or who refuses it."""
    return _ask(data_dir, "POST", f"{path}?{urlencode({'target': target})}", kind, seconds)


def _ask(data_dir: Path, method: str, path: str, kind: type[T], seconds: float = SECONDS) -> T:
    connection = UnixConnection(data_dir / SOCKET, seconds)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status == http.client.BAD_REQUEST:
            raise NotRunningError(body.decode("utf-8", "replace"))
        if answer.status != http.client.OK:
            raise NotRunningError(f"{data_dir}: the server answered {answer.status}")
        return msgspec.json.decode(body, type=kind)
    except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
        reason = getattr(error, "strerror", None) or "no answer"
        raise NotRunningError(f"{data_dir / SOCKET}: no regproxy to ask ({reason})") from error
    finally:
        connection.close()
