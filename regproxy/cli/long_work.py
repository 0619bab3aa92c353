"""Has a data directory verified or saved: by its server over the control socket, or here while it is stopped."""

import http.client
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import apsw
import msgspec
from attrs import frozen
from twisted.internet.task import LoopingCall

from regproxy.backup import Backup, Summary
from regproxy.cli.asking import UnixConnection
from regproxy.cli.working import work
from regproxy.control import SOCKET
from regproxy.errors import RegproxyError
from regproxy.lock import LockedError
from regproxy.long_work import EVERY, BackingUp, Line, Verifying, Work
from regproxy.offline import INDEX, STORE
from regproxy.repo.parts import Parts
from regproxy.store.disk import DiskStore
from regproxy.stream.rehash import Pace
from regproxy.upkeep.report import Progress, Report
from regproxy.upkeep.verification import Verification

# Of several workers one does it, and shows no progress meanwhile.
SECONDS = 3600.0

Show = Callable[[Progress], None]


class UnableError(Exception):
    """It could not be done; the text says why."""


@frozen
class Ask:
    """What was asked for."""

    repair: bool
    strict: bool
    rate: int | None


def verified(data_dir: Path, ask: Ask, show: Show) -> Report:
    """The report; ``show`` is called while it is being made."""
    asked = {"repair": int(ask.repair), "strict": int(ask.strict)} | ({"rate": ask.rate} if ask.rate else {})

    def make(parts: Parts) -> Work:
        return Verifying(Verification(parts, Pace(parts.clock, ask.rate), repair=ask.repair, strict=ask.strict))

    line = _done(data_dir, f"/verify?{urlencode(asked)}", make, show)
    assert line.report is not None
    return line.report


def backed_up(data_dir: Path, target: Path, *, everything: bool, show: Show) -> Summary:
    """What was saved."""

    def make(parts: Parts) -> Work:
        return BackingUp(Backup(data_dir / INDEX, DiskStore(data_dir / STORE), parts.readers, target, everything))

    line = _done(data_dir, f"/backup?{urlencode({'target': target, 'all': int(everything)})}", make, show)
    if line.summary is None:
        raise UnableError(line.failure or "it failed")
    return line.summary


def _done(data_dir: Path, address: str, make: Callable[[Parts], Work], show: Show) -> Line:
    if not data_dir.is_dir():
        raise UnableError(f"{data_dir}: expected a data directory")
    try:
        return _by_server(data_dir, address, show)
    except (FileNotFoundError, ConnectionRefusedError):
        return _here(data_dir, make, show)
    except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
        raise UnableError(f"{data_dir / SOCKET}: {error or 'the server went away'}") from error


def _by_server(data_dir: Path, address: str, show: Show) -> Line:
    connection = UnixConnection(data_dir / SOCKET, SECONDS)
    connection.request("POST", address)
    answer = connection.getresponse()
    if answer.status == http.client.CONFLICT:
        raise UnableError(f"{data_dir}: the server is at it already")
    if answer.status != http.client.OK:
        raise UnableError(f"{data_dir}: the server answered {answer.status}")
    while text := answer.readline():
        line = msgspec.json.decode(text, type=Line)
        if line.progress is None:
            return line
        show(line.progress)
    raise UnableError(f"{data_dir}: the server ended before it was done")


def _here(data_dir: Path, make: Callable[[Parts], Work], show: Show) -> Line:
    async def job(parts: Parts) -> Line:
        made = make(parts)
        ticks = LoopingCall(lambda: show(made.progress))
        ticks.start(EVERY)
        try:
            return await made.line()
        finally:
            ticks.stop()

    try:
        return work(data_dir, job)
    except (LockedError, RegproxyError, OSError, apsw.Error) as error:
        raise UnableError(f"{data_dir}: {error}") from error
