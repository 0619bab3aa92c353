"""A blob, stored or still growing, as a source: what another repository has, or is being brought, becomes one's own."""

import os
from collections.abc import AsyncIterator, Callable

from attrs import define, field
from twisted.internet.defer import Deferred

from regproxy.errors import Kind, RegproxyError
from regproxy.stream.observer import OneShot
from regproxy.stream.pulled import Pulled
from regproxy.stream.source import Consumer, Readable

PIECE = 256 << 10


@define(eq=False)
class Copied:
    """A ``Source`` of all of a blob, which is released when it is delivered or aborted; ``apart`` calls in a thread."""

    _readable: Readable
    _apart: "Callable[[Callable[[], bytes]], Deferred[bytes]]"
    length: int | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.length = self._readable.size

    def deliver(self, consumer: Consumer) -> Deferred[None]:
        """Begin."""
        return Deferred.fromCoroutine(self._deliver(consumer))

    async def _deliver(self, consumer: Consumer) -> None:
        try:
            await Pulled(self.length, self.pieces()).deliver(consumer)
        finally:
            self._readable.release()

    def abort(self) -> None:
        """Nobody wants it."""
        self._readable.release()

    async def pieces(self) -> AsyncIterator[bytes]:
        """All of it, one after the other; it is not released."""
        readable, position = self._readable, 0
        while not (readable.complete and position == readable.size):
            stop = min(readable.reach(position), position + PIECE)
            if stop > position:
                data = await self._read(position, stop - position)
                position += len(data)
                yield data
            elif readable.failed is not None or readable.complete or readable.passed(position):
                raise RegproxyError(Kind.UPSTREAM_DOWN, "the rest of it cannot be had now")
            else:
                await self._change()

    async def _read(self, position: int, count: int) -> bytes:
        descriptor = self._readable.fileno(position)
        data = await self._apart(lambda: os.pread(descriptor, count, position))
        if not data:
            self._readable.doubt()
            raise RegproxyError(Kind.STORAGE, "its bytes are damaged")
        return data

    async def _change(self) -> None:
        changed: OneShot[None] = OneShot()

        def wake() -> None:
            if not changed.fired:
                changed.fire(None)

        self._readable.watch(wake)
        try:
            await changed.when()
        finally:
            self._readable.unwatch(wake)
