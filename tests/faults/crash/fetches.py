"""What is done with an upstream while calls go wrong: fills, a refresh, a replacement, an absence, a purge; then a damaged blob
that is fetched again, room that is made for another, and garbage.

``work`` notes every step that has begun and every one that is done; ``check`` is the next start: recovery, verification, and
the same requests again.
"""

import hashlib
import os
from functools import partial
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, fail

from regproxy.errors import Kind, RegproxyError
from regproxy.index.interface import BlobRow, Index
from regproxy.model.want import Shape, Want
from regproxy.store.disk import DiskStore
from regproxy.upkeep.garbage import Collection
from regproxy.upkeep.holding import Held
from tests.faults.crash.origin import CHUNKED, FIXED, MORE, MUTABLE, NEW, OLD
from tests.faults.crash.serving import Journal, Run, Server, asked, crowd, server

RIGHT: dict[str, tuple[bytes, ...]] = {
    "fixed": (FIXED,),
    "chunked": (CHUNKED,),
    "mutable": (MUTABLE,),
    "changing": (OLD, NEW),
    "more": (MORE,),
}
AGAIN = ("fixed", "chunked", "mutable", "changing")


class WrongBytesError(Exception):
    """A client was given a complete body that is not the one of upstream."""


@frozen
class Client:
    """Asks one server."""

    server: Server

    async def get(self, name: str) -> str:
        """``right``, ``missing``, ``cut``, or why there is no body. ``WrongBytesError`` is the worst."""
        remote = self.server.fresh if name in ("mutable", "changing") else self.server.kept
        body = await asked(remote, Want(name, Shape.FILE))
        for flight in remote.flights:
            await flight.landed()
        if isinstance(body, bytes) and body not in RIGHT[name]:
            raise WrongBytesError(name)
        return "right" if isinstance(body, bytes) else body or "cut"

    async def purge(self, name: str) -> str:
        """As an operator does."""
        gone = await Held(self.server.parts).purge(f"{self.server.kept.key}/{name}")
        return "right" if gone.nodes else "missing"

    async def damage(self, name: str) -> str:
        """As a disk does: half of a blob is gone."""
        parts = self.server.parts
        node = parts.index.node(self.server.kept.key, name)
        if node is None:
            return "missing"
        assert isinstance(parts.store, DiskStore)
        descriptor = os.open(parts.store.path(node.sha256), os.O_RDWR)
        try:
            os.ftruncate(descriptor, node.size // 2)
        finally:
            os.close(descriptor)
        return "right"

    async def squeeze(self) -> str:
        """Ask for one more than the store may hold."""
        parts, taken = self.server.parts, self.server.eviction.taken
        parts.room.limit = parts.index.held().bytes
        try:
            answer = await self.get("more")
        finally:
            parts.room.limit = None
        return answer if self.server.eviction.taken > taken else "nothing had to go"

    async def drop(self) -> str:
        """Make room on a disk that is too full for the database to note what goes."""
        eviction = self.server.eviction
        index, eviction._index = eviction._index, Full(eviction._index)  # type: ignore[assignment] # as much of one as is asked
        try:
            freed = await eviction.free(1)
        finally:
            eviction._index = index
        return "right" if freed else "nothing went"

    async def collect(self) -> str:
        """What the job does every few hours."""
        await Collection(self.server.parts).run()
        return "right"


class Full:
    """An index that can't evict."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    def evict(self, *_: object) -> "Deferred[BlobRow]":
        """Say why."""
        return fail(RegproxyError(Kind.STORAGE, "the disk is full"))


async def work(reactor: Any, run: Run) -> None:
    """All steps, then all requests once more, and what an operator, a disk and the jobs do."""
    journal = Journal(run.journal)
    async with server(reactor, run) as made:
        client = Client(made)
        await crowd(run, lambda _: _round(client, journal))
        for name in AGAIN:
            await journal.step(f"again {name}", partial(client.get, name))
        await made.settle()
        await journal.step("damage", partial(client.damage, "chunked"))
        await journal.step("mend", partial(client.get, "chunked"))
        await made.settle()
        await journal.step("squeeze", client.squeeze)
        await journal.step("collect", client.collect)
        await journal.step("drop", client.drop)
        await made.settle()


async def _round(client: Client, journal: Journal) -> None:
    for name in ("fixed", "chunked", "missing", "mutable", "changing"):
        await journal.step(name, partial(client.get, name))
    await client.server.settle()
    await journal.step("refresh", partial(client.get, "mutable"))
    await journal.step("replace", partial(client.get, "changing"))
    await journal.step("purge", partial(client.purge, "chunked"))


async def check(reactor: Any, run: Run) -> dict[str, Any]:
    """The next start: what is wrong, which request is answered wrongly, what is wrong then."""
    lines = Journal(run.journal).lines()
    excused = _excused(lines)
    async with server(reactor, run) as made:
        before = [text for text in await made.violations() if not text.startswith(excused)]
        is_back = _is_purged(lines) and made.parts.index.node(made.kept.key, "chunked") is not None
        client = Client(made)
        answers = {name: await client.get(name) for name in (*RIGHT, "missing")}
        await made.settle()
        after = await made.violations()
    broken = [
        f"{name} is {answer}" for name, answer in answers.items() if answer != ("missing" if name == "missing" else "right")
    ]
    return {"before": before, "after": after, "broken": [*broken, *(["what was purged is back"] if is_back else [])]}


def _is_purged(lines: list[str]) -> bool:
    """The only client was told so, and it was not asked for since."""
    about = [line for line in lines if "chunked" in line or "purge" in line]
    return about[-1:] == ["done purge right"] and about.count("begun chunked") == 1


def _excused(lines: list[str]) -> tuple[str, ...]:
    """What may be wrong until somebody asks: the blob that was damaged, and a row whose blob had to go first."""
    damaged = hashlib.sha256(CHUNKED).hexdigest()
    mends = "begun damage" in lines and not any(line.startswith("done mend") for line in lines)
    return (*((f"size {damaged}", f"missing {damaged}") if mends else ()), *(("missing",) if "begun drop" in lines else ()))
