"""The server as a client sees it: by its side door, or at a URL with a token. Blocking; one ``Server`` for all threads.

A question that fails for a while (429, 502, 503, 504, a cut answer) is asked again a few times, as late as the server says.
"""

import http.client
import os
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import msgspec
from attrs import define, field, frozen

from regproxy.cli.asking import NotRunningError, UnixConnection, ask
from regproxy.side_door import Entry

SECONDS = 900.0
PIECE = 1 << 20
DOCUMENT = 64 << 20
ATTEMPTS = 4
LONGEST_WAIT = 60.0
HOPS = 5
PURPOSE = "regproxy prefetch"
_AGAIN = frozenset({429, 502, 503, 504})
_ELSEWHERE = frozenset({301, 302, 303, 307, 308})
_OK, _UNAUTHENTICATED = 200, 401
_THERE = frozenset({"hit", "local", "stale"})


class UnavailableError(Exception):
    """The server does not give it; the text says why."""


class _Message(msgspec.Struct):
    message: str = ""


class _Said(msgspec.Struct):
    """What is said of a refusal: by a hub, or by a registry and the API."""

    error: object = ""
    errors: list[_Message] = []


class _AgainError(Exception):
    """Not now."""

    def __init__(self, text: str, wait: float | None = None) -> None:
        super().__init__(text)
        self.wait = wait


class Way(Protocol):
    """How the server is reached, and what it is shown."""

    def connect(self) -> http.client.HTTPConnection:
        """A new connection."""

    def credential(self) -> str | None:
        """What Authorization says."""

    def renew(self) -> bool:
        """The credential is not good any more; whether there may be another one."""


@define(eq=False)
class Inside:
    """By the side door, with a pass that is asked for when it is needed and given back at the end."""

    _data_dir: Path
    _entry: Entry | None = field(default=None, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def _entered(self) -> Entry:
        with self._lock:
            if self._entry is None:
                self._entry = ask(self._data_dir, "/enter", PURPOSE, Entry)
            return self._entry

    def connect(self) -> http.client.HTTPConnection:
        """A new connection; a worker that has ended has taken its door with it."""
        connection = UnixConnection(Path(self._entered().socket), SECONDS)
        try:
            connection.connect()
        except OSError:
            self.renew()
            connection = UnixConnection(Path(self._entered().socket), SECONDS)
        return connection

    def credential(self) -> str | None:
        """The pass."""
        return f"Bearer {self._entered().token}"

    def renew(self) -> bool:
        """Ask for another one."""
        with self._lock:
            self._entry = None
        return True

    def leave(self) -> None:
        """Give it back."""
        entry, self._entry = self._entry, None
        if entry is not None:
            try:
                ask(self._data_dir, "/token/revoke", entry.token_id, dict[str, str])
            except NotRunningError:
                return  # it ends by itself


@frozen
class Outside:
    """At a URL, as anybody; a token in the environment says as whom."""

    url: str

    def connect(self) -> http.client.HTTPConnection:
        """A new connection."""
        parts = urlsplit(self.url)
        if parts.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(parts.netloc, timeout=SECONDS, context=context)
        return http.client.HTTPConnection(parts.netloc, timeout=SECONDS)

    def credential(self) -> str | None:
        """The token."""
        token = os.environ.get("REGPROXY_TOKEN")
        return f"Bearer {token}" if token else None

    def renew(self) -> bool:
        """There is no other."""
        return False


@frozen
class Got:
    """An answer.

    Attributes:
        body: of a document; empty where it went nowhere.
        held: the server had it already.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes
    size: int
    held: bool


@define(eq=False)
class Server:
    """Asks; safe in several threads, each of which has a connection of its own."""

    _way: Way
    _sleep: Callable[[float], None] = time.sleep
    _own: threading.local = field(factory=threading.local, init=False)

    def get(self, path: str, accept: str = "*/*", *, keep: bool = False, seen: Callable[[int], None] | None = None) -> Got:
        """Fetch; ``keep`` a document, else let the bytes go nowhere, and stop where the server has it already.

        ``UnavailableError`` says why there is nothing.
        """
        renewed = False
        for attempt in range(ATTEMPTS):
            try:
                return self._followed(path, accept, keep, seen or _nobody)
            except PermissionError as error:
                if renewed or not self._way.renew():
                    raise UnavailableError(f"{path}: {error}") from error
                renewed = True
            except (_AgainError, OSError, http.client.HTTPException) as error:
                self.leave()
                if attempt == ATTEMPTS - 1:
                    raise UnavailableError(f"{path}: {error or type(error).__name__}") from error
                self._sleep(min(getattr(error, "wait", None) or 2.0**attempt, LONGEST_WAIT))
        raise UnavailableError(f"{path}: it could not be had")

    def _followed(self, path: str, accept: str, keep: bool, seen: Callable[[int], None]) -> Got:  # noqa: FBT001 - as above
        target = path
        for _ in range(HOPS):
            answer = self._ask(target, accept)
            if answer.status not in _ELSEWHERE:
                return self._taken(target, answer, keep, seen)
            answer.read()
            parts = urlsplit(urljoin(target, answer.getheader("location", "")))
            target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        raise UnavailableError(f"{path}: it leads to ever other addresses")

    def _ask(self, path: str, accept: str) -> http.client.HTTPResponse:
        connection: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = self._way.connect()
        fields = {"Accept": accept, "User-Agent": PURPOSE}
        credential = self._way.credential()
        if credential is not None:
            fields["Authorization"] = credential
        connection.request("GET", path, headers=fields)
        answer = self._own.answer = connection.getresponse()
        return answer

    def _taken(self, path: str, answer: http.client.HTTPResponse, keep: bool, seen: Callable[[int], None]) -> Got:  # noqa: FBT001 - as above
        if answer.status != _OK:
            reason = _reason(answer)
            self.leave()
            if answer.status == _UNAUTHENTICATED:
                raise PermissionError(reason)
            if answer.status in _AGAIN:
                raise _AgainError(reason, _seconds(answer.getheader("retry-after")))
            raise UnavailableError(f"{path}: {reason}")
        held = answer.getheader("x-regproxy-cache", "") in _THERE
        fields = {name.lower(): value for name, value in answer.getheaders()}
        body = b""
        if keep:
            body = answer.read(DOCUMENT + 1)
            if len(body) > DOCUMENT:
                self.leave()
                raise UnavailableError(f"{path}: the document is larger than {DOCUMENT} bytes")
        size = len(body) if keep else int(fields.get("content-length", 0))
        if held and not keep:
            self.leave()  # nobody needs it twice
        elif not keep:
            size = _drained(answer, seen)
        return Got(path, fields, body, size, held)

    def leave(self) -> None:
        """Close this thread's connection; the next question opens another one."""
        answer: http.client.HTTPResponse | None = getattr(self._own, "answer", None)
        connection: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        self._own.answer = self._own.connection = None
        if answer is not None:
            answer.close()  # it holds the socket, too
        if connection is not None:
            connection.close()


def _drained(answer: http.client.HTTPResponse, seen: Callable[[int], None]) -> int:
    size = 0
    buffer = memoryview(bytearray(PIECE))
    while count := answer.readinto(buffer):
        size += count
        seen(count)
    if answer.length:  # what was promised and has not come
        raise _AgainError("it was cut")
    return size


def _reason(answer: http.client.HTTPResponse) -> str:
    """The status, and why: each format has a place of its own for that."""
    try:
        said = msgspec.json.decode(answer.read(PIECE), type=_Said)
    except msgspec.MsgspecError:
        said = _Said()
    why = said.error or next((each.message for each in said.errors), "")
    return f"{answer.status} {why if isinstance(why, str) and why else answer.reason}"


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isascii() and text.isdigit() else None


def _nobody(_: int) -> None:
    """Nobody counts."""
