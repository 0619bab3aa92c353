"""Following a flight of another process: its outcome from the mark, its bytes from the spool file that it writes.

The bytes that a line of the journal speaks of may be read; the tail waits for the line ``complete``, which follows the verdict.
When the filler ends without a last line, because it died or leaves, the one who gets the lock goes on in its place.
"""

from enum import Enum
from typing import Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.inotify import INotifyError
from twisted.internet.interfaces import IReactorTime

from regproxy.errors import Kind, RegproxyError
from regproxy.model.waybill import Waybill
from regproxy.sharing.ending import Ending, read_ending
from regproxy.sharing.mark import APART, END, SPOOL, Mark
from regproxy.sharing.terms import Terms
from regproxy.sharing.watches import Watch, Watches
from regproxy.store.interface import Attending, BlobStore
from regproxy.stream.flight import Airborne, Flight
from regproxy.stream.growing import TAIL, GrowingBlob

R = TypeVar("R")

# The kernel tells of the last close a moment before the lock falls.
FIRST_TRY = 0.001
TRIES = 9


class End(Enum):
    """How following ended."""

    ENDED = "the flight has its outcome"
    OURS = "the lock is ours: go on"
    APART = "it cannot be shared, and we have nothing of it"


@define(eq=False)
class Following(Generic[R]):
    """One flight here, which is filled elsewhere.

    Attributes:
        blob: what has arrived, once it is known where; with a hold of its own, for the one who followed.
        name: of the spool file.
    """

    _flight: Flight[R]
    _mark: Mark
    _terms: Terms[R]
    _store: BlobStore
    _watches: Watches
    _clock: IReactorTime
    blob: GrowingBlob | None = field(default=None, init=False)
    name: str = field(default="", init=False)
    _attending: Attending | None = field(default=None, init=False)
    _watching: list[Watch] = field(factory=list, init=False)
    _done: "Deferred[End]" = field(factory=Deferred, init=False)
    _error: RegproxyError | None = field(default=None, init=False)

    async def run(self) -> End:
        """Follow. ``RegproxyError`` if the filler failed before there was anything to tell clients."""
        try:
            self._watching.append(self._watches.watch(self._mark.fileno(), self._marked))
        except (OSError, INotifyError):
            return End.APART
        self._flight.is_elsewhere, self._flight.leave = True, self._leave
        try:
            self._marked(closed=True)  # what was written, or left, before it was watched
            end = await self._done
        finally:
            self._stop()
        if self._error is not None:
            raise self._error
        return end

    def _leave(self) -> None:
        """Regproxy stops."""
        stops = RegproxyError(Kind.UPSTREAM_DOWN, "regproxy stops")
        if not self._flight.is_announced:
            self._error = stops
        self._fail(stops)
        self._finish(End.ENDED)

    def _stop(self) -> None:
        for watch in self._watching:
            watch.stop()
        if self._attending is not None:
            self._attending.close()

    def _finish(self, end: End) -> None:
        if not self._done.called:
            self._done.callback(end)

    def _marked(self, closed: bool) -> None:  # noqa: FBT001 - a callback's argument
        if self._done.called:
            return
        for word, rest in self._mark.read():
            match word:
                case _ if word == SPOOL:
                    self._attend(rest.decode("ascii", "replace"))
                case _ if word == END:
                    self._ended(read_ending(rest))
                case _ if word == APART:
                    self._apart()
        if closed:
            self._try(0)

    def _try(self, number: int) -> None:
        """Take the lock if it has fallen; whoever was quicker will be heard of."""
        if self._done.called:
            return
        if self._mark.take():
            self._marked(closed=False)
            self._finish(End.OURS)
        elif number < TRIES:
            self._clock.callLater(FIRST_TRY * 2**number, self._try, number + 1)

    def _attend(self, name: str) -> None:
        """Read along; a spool file that is not the one that clients are reading ends them."""
        if name == self.name:
            return
        if self.blob is not None:
            self._fail(RegproxyError(Kind.UPSTREAM_DOWN, "it had to be begun anew"))
            self._finish(End.ENDED)
            return
        attending = self._store.attend(name)
        if attending is None:
            return  # it has ended, and the mark will say how
        try:
            waybill = Waybill.from_json(attending.about)
        except ValueError:
            attending.close()
            return
        self.name, self._attending = name, attending
        self.blob = GrowingBlob.over(attending.fileno(), waybill.length, withheld=True)
        self._flight.size = waybill.length
        try:
            self._watching.append(self._watches.watch(attending.journal(), self._grown))
        except (OSError, INotifyError):
            return  # nothing is announced before it has ended
        self._grown(closed=False)
        self._announce(waybill, self.blob)

    def _announce(self, waybill: Waybill, blob: GrowingBlob) -> None:
        def let_in(_: None = None) -> None:
            if blob.failed is None and not self._done.called and not self._flight.is_announced:
                self._flight.announce(Airborne(waybill.announced.head, blob))

        if waybill.length is None:
            blob.wait(TAIL + 1).addCallback(let_in)
        elif waybill.length > TAIL:
            let_in()

    def _grown(self, closed: bool) -> None:  # noqa: ARG002, FBT001 - a callback's argument
        if self._attending is None or self.blob is None or self.blob.complete:
            return
        growth = self._attending.read()
        for span in growth.extents:
            self.blob.wrote(span)
        if growth.complete:
            self.blob.succeed()
        elif growth.failed:
            self.blob.fail(RegproxyError(Kind.UPSTREAM_BAD, "what arrived was given up"))

    def _ended(self, ending: Ending) -> None:
        self._grown(closed=True)
        error = ending.error
        if not self._flight.is_announced:
            if error is not None:
                self._error = error
            else:
                self._flight.announce(self._terms.read(ending.outcome.encode()) if ending.outcome else None)
        else:
            self._fail(error or RegproxyError(Kind.UPSTREAM_DOWN, "it ended before all of it was here"))
        self._finish(End.ENDED)

    def _apart(self) -> None:
        if self._flight.is_announced:
            self._fail(RegproxyError(Kind.STORAGE, "what arrives cannot be kept any more"))
            self._finish(End.ENDED)
        else:
            self._finish(End.APART)

    def _fail(self, error: RegproxyError) -> None:
        if self.blob is not None:
            self.blob.fail(error)
