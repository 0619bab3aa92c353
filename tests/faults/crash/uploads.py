"""What clients put into a local repository while calls go wrong: a file in one body, one in pieces, another in the place of the
first, one that is deleted, and the garbage of all that.

``work`` notes every step that has begun and every one that is done; ``check`` is the next start: recovery, verification, what
is there, the rest of an upload that was in the middle of its pieces, and a collection that leaves no garbage. A step is called
by the path that it changes, and by what is there behind it.
"""

import hashlib
import random
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from regproxy.errors import Kind, RegproxyError
from regproxy.model.deposit import Upload
from regproxy.model.digest import Digest
from regproxy.model.want import Shape, Want
from regproxy.stream.source import Consumer
from regproxy.upkeep.garbage import Collection
from tests.faults.crash.serving import Journal, Run, Server, asked, crowd, server

_random = random.Random(201)
BODIES = {
    name: _random.randbytes(size) for name, size in (("first", 70_000), ("second", 90_000), ("brief", 5000), ("whole", 60_000))
}
WHOLE = BODIES["whole"]
CUTS = (25_000, 45_000)
PUSHED = BODIES["brief"]
SUBJECT = "image"


@implementer(IPushProducer)
class Sent:
    """A body that a client sends; a ``Source``."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def length(self) -> int:
        """All of it."""
        return len(self._data)

    def deliver(self, consumer: Consumer) -> "Deferred[None]":
        """Everything, at once."""
        consumer.start(self)
        consumer.write(self._data)
        return succeed(None)

    def abort(self) -> None:
        """There is no connection."""

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Not called: it is small."""

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Not called."""

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Not called."""


@define(eq=False)
class Client:
    """Puts things below paths of its own; all clients put the same bytes."""

    server: Server
    journal: Journal
    number: int = 0

    async def round(self) -> None:
        """All steps."""
        for name, state, change in (
            ("brief", "brief", self._put),
            ("plain", "first", self._put),
            ("pieces", "whole", self._send),
            ("plain", "second", self._put),
            ("brief", "missing", self._delete),
        ):
            path = f"{name}/{self.number}"
            await self.journal.step(f"{path}={state}", partial(change, path, state))
        await self.journal.step("collect", self._collect)

    async def _put(self, path: str, state: str) -> str:
        await self.server.local.receive(upload(path, state), Sent(BODIES[state]))
        return "right"

    async def _delete(self, path: str, _: str) -> str:
        return "right" if await self.server.local.delete(path) else "missing"

    async def _send(self, path: str, state: str) -> str:
        """In pieces; the journal has how much of it was acknowledged."""
        sessions = self.server.local.sessions
        name = await sessions.begin(SUBJECT)
        received = 0
        self.journal.note(f"session {path} {name} {received}")
        for end in CUTS:
            received = await sessions.append(name, SUBJECT, Sent(WHOLE[received:end]), received)
            self.journal.note(f"session {path} {name} {received}")
        self.journal.note(f"session {path} {name} ends")
        await sessions.finish(name, upload(path, state), SUBJECT, Sent(WHOLE[received:]), received)
        return "right"

    async def _collect(self) -> str:
        """What the job does every few hours."""
        await Collection(self.server.parts).run()
        return "right"


def upload(path: str, state: str) -> Upload:
    """What a client says of it."""
    return Upload(path, (Digest("sha256", hashlib.sha256(BODIES[state]).hexdigest()),), may_replace=True)


async def work(reactor: Any, run: Run) -> None:
    """All steps of all clients."""
    journal = Journal(run.journal)
    async with server(reactor, run) as made:
        await crowd(run, lambda number: Client(made, journal, number).round())


async def check(reactor: Any, run: Run) -> dict[str, Any]:
    """The next start: what is wrong, what is there that should not be or the other way round, what is wrong in the end."""
    lines = Journal(run.journal).lines()
    async with server(reactor, run) as made:
        before = await made.violations()
        broken = []
        for path, states in possible(lines).items():
            found = await _found(made, path)
            if found not in states:
                broken.append(f"{path} is {found} instead of {' or '.join(sorted(states))}")
        broken += [text for path, name, received in unfinished(lines) async for text in _go_on(made, path, name, received)]
        await Collection(made.parts).run()
        after = await made.violations(is_collected=True)
    return {"before": before, "after": after, "broken": broken}


def possible(lines: list[str]) -> dict[str, set[str]]:
    """What may be at each path: what the client was told last, or what steps would make of it that were not told to be done."""
    states: dict[str, set[str]] = {}
    for word, step, *_ in map(str.split, lines):
        path, _, state = step.partition("=")
        if word == "begun" and state:
            states.setdefault(path, {"missing"}).add(state)
        elif word == "done" and state:
            states[path] = {state}
    return states


def unfinished(lines: list[str]) -> list[tuple[str, str, str]]:
    """The uploads in pieces that were not told to have ended, one way or the other: path, name, what of it was acknowledged."""
    ended = {line.split()[1].partition("=")[0] for line in lines if line.startswith(("done ", "not "))}
    sessions = {
        path: (path, name, received)
        for word, path, name, received in (line.split() for line in lines if line.startswith("session "))
    }
    return [session for path, session in sessions.items() if path not in ended]


async def _found(made: Server, path: str) -> str:
    body = await asked(made.local, Want(path, Shape.FILE))
    if isinstance(body, bytes):
        return next((name for name, right in BODIES.items() if right == body), f"{len(body)} wrong bytes")
    return body or "cut"


async def _go_on(made: Server, path: str, name: str, acknowledged: str) -> AsyncIterator[str]:
    """Send the rest of an upload in pieces; only one whose end was asked for may have gone."""
    sessions = made.local.sessions
    try:
        received = await sessions.received(name, SUBJECT)
    except RegproxyError as error:
        if error.kind is not Kind.NOT_FOUND or acknowledged != "ends":
            yield f"the upload to {path} is lost: {error!r}"
        return
    if received < (CUTS[-1] if acknowledged == "ends" else int(acknowledged)):
        yield f"of the upload to {path} only {received} bytes are there"
    await sessions.finish(name, upload(path, "whole"), SUBJECT, Sent(WHOLE[received:]), received)
    if (found := await _found(made, path)) != "whole":
        yield f"the upload to {path} went on and is {found}"
