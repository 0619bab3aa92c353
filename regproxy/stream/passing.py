"""A growing blob that goes on when its bytes cannot be kept: what the spool has, and then a window of a few MiB.

Rules:

1. The prefix in the spool stays for its readers. Once a byte from the start of the body is not there for everybody any more, the
   blob is ``closed``: nobody joins it.
2. A reader whose next byte is not in the window has ``passed`` it and makes a detour; it is no reader of this blob then.
3. The verdict on the tail holds as for any other blob. Its end is the same, too, but that nothing is stored.
"""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred, fail

from regproxy.model.ranges import Extents, Span
from regproxy.stream.enduring import EnduringWriter
from regproxy.stream.growing import GrowingBlob
from regproxy.stream.source import Readable
from regproxy.stream.window import Window


def _ignored() -> None:
    pass


@define(eq=False)
class PassingBlob(GrowingBlob):
    """What a fill has brought, and perhaps does not keep.

    Attributes:
        turned: called once when it begins not to be kept.
        closed: called once when nobody may join any more.
        branch: makes a detour from an offset on; what it brings is the caller's own. None: nothing can.
    """

    writer: EnduringWriter | None = None
    turned: Callable[[], None] = _ignored
    closed: Callable[[], None] = _ignored
    branch: "Callable[[int], Deferred[Readable]] | None" = None
    _window: Window | None = field(default=None, init=False)
    _is_closed: bool = field(default=False, init=False)
    _away: int = field(default=0, init=False)

    @property
    def readers(self) -> int:
        """How many follow it now; those on a detour do not."""
        return self._holds - 1 - self._away

    @property
    def is_passing(self) -> bool:
        """Whether it is not kept."""
        return self.writer is not None and self.writer.window is not None

    def fileno(self, offset: int = 0) -> int:
        """The spool's descriptor, or the window's."""
        window = self._window
        return self._fd if window is None or offset < window.start else window.fileno()

    def reach(self, offset: int, *, early: bool = False) -> int:
        """How far a follower may read; never across the border between spool and window."""
        there = GrowingBlob.reach(self, offset, early=early)
        window = self._window
        if window is None:
            return there
        if offset < window.start:
            return min(there, window.start)
        if not window.holds(offset):
            return offset
        window.seen(offset)
        return there

    def passed(self, offset: int) -> bool:
        """Whether a reader at an offset finds nothing here any more, or not before all others were left behind."""
        window = self._window
        return window is not None and offset >= window.start and not window.holds(offset)

    def detour(self, offset: int) -> "Deferred[Readable]":
        """Ask upstream for the rest."""
        self._away += 1
        self._look_for_readers()
        if self.branch is None:
            return fail(EOFError("the bytes went by"))
        return self.branch(offset)

    def returned(self) -> None:
        """Count one less; it is released next."""
        self._away -= 1

    def begin(self) -> None:
        """Look whether there is a window, and whether it has moved."""
        if self._window is None and self.writer is not None and self.writer.window is not None:
            self._window = self.writer.window
            there = min(self.extents.reach(0), self.writer.turned_at)
            self.extents = Extents()  # what the spool has behind a hole is not there any more
            self.extents.add(Span(0, there))
            self.turned()
        window = self._window
        if window is not None and not self._is_closed and (window.start or window.tail):
            self._is_closed = True
            self.closed()

    def wrote(self, span: Span) -> None:
        """Bytes were written, wherever."""
        self.begin()
        GrowingBlob.wrote(self, span)

    def release(self) -> None:
        """One reader, or the fill, has finished."""
        GrowingBlob.release(self)
        if self._holds == 0 and self._window is not None:
            self._window.close()
        elif self._away:
            self._look_for_readers()

    def _look_for_readers(self) -> None:
        if self.readers == 0 and self._holds and not self._ended() and self._deserted is not None:
            self._deserted()
