"""Answers for all workers: the control socket of the server, and the metrics.

What is asked of the server as a whole is put together here (live fills, metrics); every other command is passed on to one of the
workers, any of them: they share store and index.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IListeningPort
from twisted.internet.posixbase import PosixReactorBase
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from regproxy.control import ControlSite, Draining, LiveFill
from regproxy.stream.spawn import spawn
from regproxy.supervisor.asking import Answer, ask, forward
from regproxy.supervisor.member import control_of
from regproxy.supervisor.process import Worker
from regproxy.supervisor.team import Team
from regproxy.telemetry.merging import Family, lasting, merged, page

JSON = "application/json"
UNAVAILABLE = 503


@define(eq=False)
class Answering:
    """The socket, from ``start`` to ``stop``."""

    _reactor: PosixReactorBase
    _data_dir: Path
    _team: Team
    _drain: Callable[[], None]
    _port: IListeningPort | None = field(default=None, init=False)

    def start(self, path: Path) -> None:
        """Listen, in place of a socket that nobody serves any more."""
        path.unlink(missing_ok=True)
        site: Any = ControlSite(_Root(self))  # the stubs of listenUNIX ask for a factory of one kind of protocol
        self._port = self._reactor.listenUNIX(str(path), site, mode=0o600)

    async def stop(self) -> None:
        """Listen no more."""
        port, self._port = self._port, None
        stopped = None if port is None else port.stopListening()
        if stopped is not None:
            await stopped

    async def answer(self, request: Request) -> Answer | None:
        """Answer what is asked of the server as a whole; None for what a worker has answered already."""
        match request.uri, request.method:
            case b"/fetches", _:
                return Answer(200, JSON, msgspec.json.encode(await self._fetches()))
            case b"/page", _:
                text, media_type = page(await self.families())
                return Answer(200, media_type, text)
            case b"/drain", b"POST":
                self._drain()
                return Answer(200, JSON, msgspec.json.encode(await self._draining()))
        for worker in self._team:
            if await forward(self._reactor, control_of(self._data_dir, worker.number), request):
                return None
        return Answer(UNAVAILABLE, "text/plain", b"no worker answers\n")

    async def _draining(self) -> Draining:
        """How far everybody is; a worker that has not begun to drain begins."""
        asked = [each for each in self._team.everybody if each.has_served]
        answers = await self._everybody(asked, "/drain", "POST")
        found = [msgspec.json.decode(answer.body, type=Draining) for answer in answers if answer is not None]
        return Draining(draining=True, responses=sum(each.responses for each in found), fills=sum(each.fills for each in found))

    async def _fetches(self) -> Sequence[LiveFill]:
        found: dict[tuple[str, str], LiveFill] = {}
        for answer in await self._everybody(self._team.everybody, "/fetches"):
            for fill in [] if answer is None else msgspec.json.decode(answer.body, type=list[LiveFill]):
                key = (fill.repository, fill.path)
                found[key] = _together(found[key], fill) if key in found else fill
        return list(found.values())

    async def families(self) -> list[Family]:
        """The metrics of all workers, those included that have ended."""
        asked = self._team.everybody
        living: list[Sequence[Family]] = []
        for worker, answer in zip(asked, await self._everybody(asked, "/metrics"), strict=True):
            if worker.has_ended:
                continue  # what it had counted is with those of the others who have ended
            if answer is not None:
                worker.counted = msgspec.json.decode(answer.body, type=list[Family])
            living.append(lasting(worker.counted) if answer is None else worker.counted)
        return merged([self._team.gone, *living])

    async def _everybody(self, workers: Iterable[Worker], target: str, method: str = "GET") -> list[Answer | None]:
        paths = [control_of(self._data_dir, worker.number) for worker in workers]
        return await gatherResults([Deferred.fromCoroutine(ask(self._reactor, path, target, method=method)) for path in paths])


def _together(one: LiveFill, other: LiveFill) -> LiveFill:
    """One fill that several workers see: one brings it, the others follow."""
    return msgspec.structs.replace(
        one,
        received=max(one.received, other.received),
        size=one.size if other.size is None else other.size,
        age=max(one.age, other.age),
        followers=one.followers + other.followers,
        rate=max(one.rate, other.rate),
    )


class _Root(Resource):
    """Every address of the control socket."""

    isLeaf = True  # noqa: N815 - the name that Twisted reads

    def __init__(self, answering: Answering) -> None:
        Resource.__init__(self)
        self._answering = answering

    def render(self, request: Request) -> int:
        """Answer, whatever the method."""
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)
        spawn(self._send(request, gone), "answering a command")
        return int(NOT_DONE_YET)

    async def _send(self, request: Request, gone: list[object]) -> None:
        answer = await self._answering.answer(request)
        if gone:
            return
        if answer is not None:
            request.setResponseCode(answer.status)
            request.setHeader(b"content-type", answer.media_type.encode("ascii"))
            request.write(answer.body)
        request.finish()
