"""A client without a socket: reads a body as a follower does, and says whether it got all of it."""

import os
from functools import partial

from attrs import define, field

from regproxy.errors import RegproxyError
from regproxy.stream.observer import OneShot
from regproxy.stream.source import Readable


@define(eq=False)
class Reading:
    """One reader of one body."""

    _readable: Readable
    _left: Readable | None = field(default=None, init=False)
    _body: bytearray = field(factory=bytearray, init=False)

    async def whole(self) -> bytes | None:
        """The body; None if it was cut."""
        try:
            while True:
                there = self._take()
                if there is not None:
                    return bytes(self._body) if there else None
                await self._go_on()
        except (OSError, RegproxyError, EOFError):
            return None
        finally:
            if self._left is not None:
                self._left.returned()
                self._readable.release()

    def _take(self) -> bool | None:
        """Read what there is; whether that was all, or None if there is more to come."""
        while (stop := self._readable.reach(len(self._body))) > len(self._body):
            position = len(self._body)
            data = os.pread(self._readable.fileno(position), stop - position, position)
            if not data:
                return False
            self._body += data
        if self._readable.complete and self._readable.size == len(self._body):
            return True
        return False if self._readable.failed is not None or self._readable.complete else None

    async def _go_on(self) -> None:
        if self._readable.passed(len(self._body)):
            if self._left is not None:
                raise EOFError
            self._left = self._readable
            try:
                self._readable = await self._left.detour(len(self._body))
            except BaseException:
                self._left.returned()
                self._left = None
                raise
            return
        changed: OneShot[None] = OneShot()
        wake = partial(_once, changed)
        self._readable.watch(wake)
        try:
            await changed.when()
        finally:
            self._readable.unwatch(wake)


def _once(changed: OneShot[None]) -> None:
    if not changed.fired:
        changed.fire(None)
