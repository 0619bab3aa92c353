"""Puts the upkeep of space into the server: its jobs and numbers, and what the control socket takes.

``POST /gc`` and ``POST /cache/{look,pin,unpin,purge}`` work on what the running server holds.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from regproxy.errors import RegproxyError
from regproxy.index.interface_holdings import Holdings
from regproxy.jobs import Job
from regproxy.model.settings import RepositorySettings, Store
from regproxy.model.size import parse_size
from regproxy.repo.parts import Parts
from regproxy.stream.spawn import spawn
from regproxy.telemetry.cause import CAUSE, Cause
from regproxy.telemetry.metrics import Metrics
from regproxy.upkeep.garbage import Collection, Garbage
from regproxy.upkeep.holding import Held
from regproxy.upkeep.sessions import FIRST_SECONDS as SESSIONS_FIRST
from regproxy.upkeep.sessions import Abandoned
from regproxy.upkeep.space import Limits, Unused
from regproxy.upkeep.trash import FIRST_SECONDS as TRASH_FIRST
from regproxy.upkeep.trash import Retention

CONTROL = "control"
"""Who asks by the control socket, as the audit log names him: somebody on this machine who may use it."""
HOUR = 3600.0
FIRST_UNUSED_SECONDS = 60.0
FIRST_GARBAGE_SECONDS = 300.0

Command = Callable[[str], Awaitable[object]]


class Post(Resource):
    """One command: its argument is ``target``, its answer JSON; 400 and a text for what makes no sense."""

    isLeaf = True  # noqa: N815 - the name that Twisted reads

    def __init__(self, command: Command) -> None:
        Resource.__init__(self)
        self._command = command

    def render_POST(self, request: Request) -> int:  # noqa: N802 - the name that Twisted calls
        """Do it."""
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)
        spawn(self._answer(request, gone), "a command")
        return int(NOT_DONE_YET)

    async def _answer(self, request: Request, gone: list[object]) -> None:
        CAUSE.set(Cause(user=CONTROL))
        target = (request.args or {}).get(b"target", [b""])[0].decode("utf-8", "replace")
        try:
            body = msgspec.json.encode(await self._command(target))
        except RegproxyError as error:
            request.setResponseCode(400)
            body = error.text.encode()
        except BaseException:
            if not gone:  # who asks would wait for ever
                request.setResponseCode(500)
                request.finish()
            raise
        if not gone:
            request.setHeader("content-type", "application/json")
            request.write(body)
            request.finish()


def limit_of(section: Store) -> int | None:
    """``[store] maxBytes`` as a number."""
    return parse_size(section.max_bytes) if section.max_bytes else None


def jobs(parts: Parts, repositories: Callable[[], Iterable[RepositorySettings]], metrics: Metrics) -> list[Job]:
    """The periodic services, and the gauges that show what they see."""
    limits = Limits(parts, repositories)
    job = Job("space", limits.step)
    parts.room.troubled_again = job.nudge
    # By the process that runs the jobs: what another one saw when it ran them is over.
    metrics.watch("regproxy_store_bytes", "Bytes of stored blobs.", lambda: limits.held.bytes if job.runs else 0, "largest")
    metrics.watch("regproxy_store_blobs", "Stored blobs.", lambda: limits.held.blobs if job.runs else 0, "largest")
    metrics.watch("regproxy_store_reserved_bytes", "Bytes of live fills and uploads.", parts.room.live)
    metrics.watch("regproxy_store_trouble", "1 while the store does not take bodies.", lambda: parts.room.trouble is not None)
    return [
        job,
        Job("unused", Unused(parts, repositories).step, FIRST_UNUSED_SECONDS),
        Job("garbage", Garbage(parts).step, FIRST_GARBAGE_SECONDS),
    ]


def times(parts: Parts, holdings: Holdings, store: Store) -> list[Job]:
    """The periodic services that end what has waited long enough."""
    sessions = Abandoned(parts, store.upload_hours * HOUR)
    jobs = [Job("sessions", sessions.step, SESSIONS_FIRST)]
    if store.trash_days:
        jobs.append(Job("trash", Retention(parts, holdings, store.trash_days * 24 * HOUR).step, TRASH_FIRST))
    return jobs


def resources(parts: Parts) -> Mapping[bytes, Resource]:
    """What the control socket mounts."""
    held = Held(parts)

    async def collect(target: str) -> object:
        return await Collection(parts, dry=target == "dry").run()

    async def pin(target: str) -> object:
        return await held.pin(target, pinned=True)

    async def unpin(target: str) -> object:
        return await held.pin(target, pinned=False)

    cache = Resource()
    commands: dict[bytes, Command] = {b"look": held.look, b"pin": pin, b"unpin": unpin, b"purge": held.purge}
    for name, command in commands.items():
        cache.putChild(name, Post(command))
    return {b"gc": Post(collect), b"cache": cache}
