"""Launches that are shared by all processes of a server: one of them asks upstream, the others follow what it brings.

It is for efficiency only. What a process may believe it sees in the index, in digests and in the journal of a spool file; where a
mark cannot be made, or a body cannot be shared, each process asks upstream itself.
"""

from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from regproxy.errors import Kind, RegproxyError
from regproxy.sharing.ending import LANDED, Ending, failed, write_ending
from regproxy.sharing.following import End, Following
from regproxy.sharing.mark import APART, END, SPOOL, Mark
from regproxy.sharing.mirror import Mirror
from regproxy.sharing.terms import Terms
from regproxy.sharing.watches import Watches
from regproxy.store.interface import BlobStore
from regproxy.stream.flight import Airborne, Flight, Launch
from regproxy.stream.growing import GrowingBlob

R = TypeVar("R")


class Sharing(Protocol):
    """How launches are shared."""

    @property
    def is_shared(self) -> bool:
        """Whether there is anybody to share with."""

    def launch(self, launch: "Launch[R]", terms: Terms[R]) -> "Launch[R]":
        """Make a launch that is shared."""


@define
class Unshared:
    """For the only process of a server."""

    is_shared = False

    def launch(self, launch: "Launch[R]", terms: Terms[R]) -> "Launch[R]":  # noqa: ARG002 - of the interface
        """As it is."""
        return launch


@define(eq=False)
class SharedByMarks:
    """For one of several processes on one machine; the marks lie in ``folder``."""

    _folder: Path
    _store: BlobStore
    _watches: Watches
    _clock: IReactorTime
    is_shared = True

    def launch(self, launch: "Launch[R]", terms: Terms[R]) -> "Launch[R]":
        """Ask only if nobody is asking."""

        def run(flight: Flight[R]) -> Coroutine[Any, Any, None]:
            return SharedLaunch(self._folder, self._store, self._watches, self._clock, flight, launch, terms).run()

        return run


@define(eq=False)
class SharedLaunch(Generic[R]):
    """One launch."""

    _folder: Path
    _store: BlobStore
    _watches: Watches
    _clock: IReactorTime
    _flight: Flight[R]
    _launch: "Launch[R]"
    _terms: Terms[R]
    _mark: Mark | None = field(default=None, init=False)

    async def run(self) -> None:
        """Fly, as the one who asks or as one who follows."""
        mark = self._open()
        if mark is None:
            await self._launch(self._flight)
        elif mark.take():
            await self._fill(mark, None)
        else:
            await self._follow(mark)

    def _open(self) -> Mark | None:
        """Open the mark that has the name; None where that is not possible."""
        while True:
            try:
                mark = Mark.open(self._folder, self._flight.key)
            except OSError:
                return None
            if not mark.is_over:
                return mark
            mark.close()  # the filler has ended since it was opened

    async def _follow(self, mark: Mark) -> None:
        following = Following(self._flight, mark, self._terms, self._store, self._watches, self._clock)
        end = None
        try:
            end = await following.run()
        finally:
            if end is not End.OURS:
                mark.close()
                _release(following.blob)
        if end is End.APART:
            await self._launch(self._flight)
        elif end is End.OURS:
            await self._fill(mark, following)

    async def _fill(self, mark: Mark, following: Following[R] | None) -> None:
        """Ask upstream, or go on where the one before has ended, and tell the others."""
        self._mark, flight = mark, self._flight
        blob = following.blob if following is not None else None
        try:
            if mark.is_over or (blob is not None and (blob.complete or blob.failed is not None)):
                self._end(LANDED)
            elif not flight.is_announced and self._terms.arrived():
                flight.announce(None)
                self._end(LANDED)
            elif following is None or blob is None:
                await self._fly(flight)
            else:
                await self._terms.recall(following.name)
                await self._go_on(blob)
        finally:
            _release(blob)
            if self._mark is not None:  # left as it is, to be taken over
                self._mark.close()

    async def _go_on(self, blob: GrowingBlob) -> None:
        flight = self._flight
        if not flight.is_announced:
            await self._fly(flight)
            return
        inner: Flight[R] = Flight(flight.key, flight.began, is_awaited=True)
        flight.is_elsewhere = False
        flight.leave = lambda: inner.leave() if inner.leave is not None else None
        mirror = Mirror(blob)
        inner.announced().addCallbacks(mirror.begin, lambda failure: blob.fail(failure.value))
        try:
            await self._fly(inner)
        finally:
            inner.end(None)
            mirror.end()

    async def _fly(self, flight: Flight[R]) -> None:
        flight.spooled().addCallback(lambda name: self._tell(SPOOL, name.encode("ascii")))
        flight.announced().addCallbacks(lambda outcome: self._announced(flight, outcome), lambda _: None)
        try:
            await self._launch(flight)
        except BaseException as error:
            self._end(failed(error))
            raise
        if not flight.is_left:
            self._end(await self._ending(flight))

    async def _ending(self, flight: Flight[R]) -> Ending:
        if not flight.is_announced:
            return LANDED
        match await flight.announced():
            case None:
                return LANDED
            case Airborne(_, blob):
                return LANDED if blob.failed is None else failed(blob.failed)
            case outcome:
                return Ending(outcome=self._terms.write(outcome).decode())

    def _announced(self, flight: Flight[R], outcome: "Airborne | R | None") -> None:
        """A body without a spool file, or one that begins not to be kept, is nobody else's."""
        if not isinstance(outcome, Airborne):
            return
        blob = outcome.blob
        if not flight.is_spooled:
            self._part()
            return

        def changed() -> None:
            if blob.is_passing:
                blob.unwatch(changed)
                self._part()

        blob.watch(changed)

    def _tell(self, word: bytes, rest: bytes) -> None:
        """Append a line; a disk that does not take it is no reason to end what is under way."""
        if self._mark is not None:
            with suppress(OSError):
                self._mark.write(word, rest)

    def _part(self) -> None:
        self._last(APART, b"")

    def _end(self, ending: Ending) -> None:
        self._last(END, write_ending(ending))

    def _last(self, word: bytes, rest: bytes) -> None:
        mark, self._mark = self._mark, None
        if mark is not None:
            try:
                mark.end(word, rest)
            except OSError:
                mark.close()  # whoever takes it over finds what was stored


def _release(blob: GrowingBlob | None) -> None:
    if blob is not None:
        if not blob.complete:
            blob.fail(RegproxyError(Kind.UPSTREAM_DOWN, "it was left"))
        blob.release()
