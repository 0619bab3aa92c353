"""Has a data directory verified: by its server over the control socket, or here while it is stopped."""

import http.client
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import msgspec
from attrs import frozen
from twisted.internet.task import LoopingCall

from regproxy.cli.asking import UnixConnection
from regproxy.cli.working import work
from regproxy.control import SOCKET
from regproxy.errors import RegproxyError
from regproxy.lock import LockedError
from regproxy.repo.parts import Parts
from regproxy.stream.rehash import Pace
from regproxy.upkeep.report import Progress, Report
from regproxy.upkeep.verification import Verification
from regproxy.verifying import EVERY, Line

Show = Callable[[Progress], None]


class UnableError(Exception):
    """It could not be verified; the text says why."""


@frozen
class Ask:
    """What was asked for."""

    repair: bool
    strict: bool
    rate: int | None


def verified(data_dir: Path, ask: Ask, show: Show) -> Report:
    """The report; ``show`` is called while it is being made."""
    if not data_dir.is_dir():
        raise UnableError(f"{data_dir}: expected a data directory")
    try:
        return _by_server(data_dir, ask, show)
    except (FileNotFoundError, ConnectionRefusedError):
        return _here(data_dir, ask, show)
    except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
        raise UnableError(f"{data_dir / SOCKET}: {error or 'the server went away'}") from error


def _by_server(data_dir: Path, ask: Ask, show: Show) -> Report:
    asked = {"repair": int(ask.repair), "strict": int(ask.strict)} | ({"rate": ask.rate} if ask.rate else {})
    connection = UnixConnection(data_dir / SOCKET)
    connection.request("POST", f"/verify?{urlencode(asked)}")
    answer = connection.getresponse()
    if answer.status == http.client.CONFLICT:
        raise UnableError(f"{data_dir}: it is being verified already")
    if answer.status != http.client.OK:
        raise UnableError(f"{data_dir}: the server answered {answer.status}")
    while text := answer.readline():
        line = msgspec.json.decode(text, type=Line)
        if line.report is not None:
            return line.report
        if line.progress is not None:
            show(line.progress)
    raise UnableError(f"{data_dir}: the server ended before it was done")


def _here(data_dir: Path, ask: Ask, show: Show) -> Report:
    async def verification(parts: Parts) -> Report:
        made = Verification(parts, Pace(parts.clock, ask.rate), repair=ask.repair, strict=ask.strict)
        ticks = LoopingCall(lambda: show(made.progress))
        ticks.start(EVERY)
        try:
            return await made.run()
        finally:
            ticks.stop()

    try:
        return work(data_dir, verification)
    except (LockedError, RegproxyError, OSError) as error:
        raise UnableError(str(error)) from error
