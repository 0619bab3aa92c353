"""A blob that is still growing: which bytes exist, who reads them, and whether they may be believed.

The rules it keeps (docs/design/overview.md):

1. A byte that is within ``extents`` has been written; nobody reads any other.
2. While a verdict is awaited the last ``TAIL`` bytes are withheld (of a body of unknown length: the newest ``TAIL`` bytes),
   but for ``early`` readers. So no follower completes a body that is not verified.
3. It ends exactly once: ``succeed`` or ``fail``. Readers that are left then finish, or abort.
4. Its descriptor is its own duplicate: the store may rename, and eviction may unlink, while readers go on. It is closed by
   the last ``release``.
"""

import os
from collections.abc import Callable
from typing import Self

from attrs import define, field
from twisted.internet.defer import Deferred, succeed

from regproxy.model.ranges import Extents, Span
from regproxy.stream.source import Readable

TAIL = 64 << 10
EARLY = 1 << 20


@define(eq=False)
class GrowingBlob:
    """What a fill has brought so far. Made with one hold, the fill's own; ``deserted`` is called when only that one is left.

    Attributes:
        extents: the bytes that exist.
        wanted_changed: called when other bytes are ``wanted`` than before.
    """

    _fd: int
    _size: int | None = None
    _withheld: bool = False
    _deserted: Callable[[], None] | None = None
    extents: Extents = field(factory=Extents, init=False)
    _complete: bool = field(default=False, init=False)
    _failed: BaseException | None = field(default=None, init=False)
    wanted_changed: Callable[[], None] | None = field(default=None, init=False)
    _watchers: dict[Callable[[], None], tuple[Span | None, bool]] = field(factory=dict, init=False)
    _waiting: list[tuple[int, Deferred[None]]] = field(factory=list, init=False)
    _holds: int = field(default=1, init=False)

    @classmethod
    def over(cls, fd: int, size: int | None, *, withheld: bool, deserted: Callable[[], None] | None = None) -> Self:
        """Begin over a spool's descriptor, which is duplicated."""
        return cls(os.dup(fd), size, withheld, deserted)

    @property
    def size(self) -> int | None:
        """Bytes in the whole, once known."""
        return self._size

    @property
    def complete(self) -> bool:
        """Everything is there and may be read."""
        return self._complete

    @property
    def failed(self) -> BaseException | None:
        """Why it will never be complete."""
        return self._failed

    @property
    def readers(self) -> int:
        """How many follow it now."""
        return self._holds - 1

    @property
    def is_released(self) -> bool:
        """Whether everybody, the fill too, has finished: there is no descriptor any more, and nobody may ``hold`` it."""
        return self._holds == 0

    @property
    def is_passing(self) -> bool:
        """Whether it is not kept: never; see passing.py."""
        return False

    def fileno(self, offset: int = 0) -> int:  # noqa: ARG002 - one file has all of it; see passing.py
        """The descriptor."""
        return self._fd

    def passed(self, offset: int) -> bool:  # noqa: ARG002 - nothing is dropped
        """Never; see passing.py."""
        return False

    def detour(self, offset: int) -> "Deferred[Readable]":
        """Nobody needs one."""
        raise NotImplementedError

    def returned(self) -> None:
        """Nobody was away."""

    def reach(self, offset: int, *, early: bool = False) -> int:
        """How far a follower may read from ``offset`` now."""
        there = self.extents.reach(offset)
        if self._complete or not self._withheld or early:
            return there
        end = self._size if self._size is not None else self.extents.reach(0)
        return max(offset, min(there, end - TAIL))

    def wrote(self, span: Span) -> None:
        """Bytes were written: wake everybody who reads or waits."""
        self.extents.add(span)
        self._changed()

    def succeed(self) -> None:
        """Every byte is there and believed."""
        self._size = self.extents.reach(0)
        self._complete = True
        self._changed()

    def fail(self, reason: BaseException) -> None:
        """It will not be completed, or is wrong. What is complete stays so: its readers finish."""
        if not self._complete:
            self._failed = reason
            self._changed()

    def wait(self, stop: int) -> Deferred[None]:
        """Fires when the first ``stop`` bytes exist, or when it has ended either way."""
        if self._ended() or self.extents.reach(0) >= stop:
            return succeed(None)
        waiter: Deferred[None] = Deferred(lambda gone: self._waiting.remove((stop, gone)))
        self._waiting.append((stop, waiter))
        return waiter

    def watch(self, changed: Callable[[], None], wanted: Span | None = None, *, early: bool = False) -> None:
        """Call ``changed`` after each change; ``wanted`` is what a follower reads, ``early`` as for ``reach``."""
        self._watchers[changed] = (wanted, early)
        if wanted is not None and self.wanted_changed is not None:
            self.wanted_changed()

    def unwatch(self, changed: Callable[[], None]) -> None:
        """Stop that."""
        wanted, _ = self._watchers.pop(changed, (None, False))
        if wanted is not None and self.wanted_changed is not None:
            self.wanted_changed()

    def wanted(self) -> list[Span]:
        """What is being read, the oldest first: where its bytes can't be believed before all are there, all are wanted too."""
        spans = []
        for span, early in self._watchers.values():
            if span is not None:
                spans.append(span)
                if self._withheld and not early and self._size is not None and span.stop > self._size - TAIL:
                    spans.append(Span(0, self._size))
        return list(dict.fromkeys(spans))

    def doubt(self) -> None:
        """Its spool cannot be read: what comes of it is verified anyway."""

    def hold(self) -> "GrowingBlob":
        """One more reader, who will ``release``."""
        assert self._holds, "what is closed is held: its descriptor may be another file's by now"
        self._holds += 1
        return self

    def release(self) -> None:
        """One reader, or the fill, has finished."""
        self._holds -= 1
        if self._holds == 0:
            os.close(self._fd)
        elif self._holds == 1 and not self._ended() and self._deserted is not None:
            self._deserted()

    def _ended(self) -> bool:
        return self._complete or self._failed is not None

    def _changed(self) -> None:
        for changed in list(self._watchers):
            changed()
        there = self.extents.reach(0)
        ready = [item for item in self._waiting if self._ended() or there >= item[0]]
        for item in ready:
            self._waiting.remove(item)
            item[1].callback(None)
