"""Parked fills: what was received of bodies whose fill was left or cut, kept on the disk for the next who asks.

One table for all repositories, by repository and path. It outlives the process: at the start it is what the store has left, as
far as age and bytes allow. Nothing in it is ever a hit: it is continued by a fill, which hashes all of it again.
"""

from collections.abc import Iterator
from contextlib import suppress

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater

from regproxy.model.ranges import Extents, Span
from regproxy.model.session import Session
from regproxy.model.waybill import Waybill
from regproxy.sharing.notes import NoNotes, Notes
from regproxy.store.interface import BlobStore, Keep, Left
from regproxy.stream.lane import in_time
from regproxy.stream.pool import WriterPool
from regproxy.stream.source import BlobWriter
from regproxy.stream.spawn import spawn

Key = tuple[str, str]

PARKED_SECONDS = 24 * 3600.0
RECALL_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4)
PARKED_BYTES = 20 << 30


@frozen
class Parked:
    """A fill that stands still: its waybill, and what the store has of it."""

    waybill: Waybill
    left: Left

    @property
    def key(self) -> Key:
        """Repository and path."""
        return self.waybill.repository, self.waybill.path

    @property
    def missing(self) -> Span:
        """The first bytes that are not there; none, at its end, if all are."""
        extents = Extents()
        for span in self.left.extents:
            extents.add(span)
        return missing(extents, self.waybill.length or 0)

    @property
    def usable(self) -> bool:
        """Whether something will tell that all of it is right: a digest, or a stop that was clean."""
        return self.waybill.can_continue and bool(self.left.extents) and bool(self.waybill.digests or self.left.clean)


@define(eq=False)
class Parking:
    """The parked fills.

    Attributes:
        seconds: how long one is kept.
        most: how many bytes they may take together.
        notes: what other processes of the server have parked.
    """

    _store: BlobStore
    _threads: WriterPool
    _clock: IReactorTime
    seconds: float = PARKED_SECONDS
    most: int = PARKED_BYTES
    notes: Notes = field(factory=NoNotes)
    _places: dict[Key, Parked] = field(factory=dict, init=False)
    _troubles: set[Key] = field(factory=set, init=False)
    _turn: DeferredLock = field(factory=DeferredLock, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def bounds(self) -> Keep:
        """What the store is to keep at the start."""
        return Keep(self._clock.seconds() - self.seconds, self.most)

    def load(self, *, runs: bool = False) -> None:
        """At the start: know what the store has left. Blocks. ``runs``: as for ``_look``; nobody else removes anything else."""
        self._places = self._look(runs=runs)
        self._watch()

    async def put(self, waybill: Waybill, writer: BlobWriter) -> None:
        """Take a writer over from a fill that ends. Without a digest its bytes are first brought to the disk."""
        durable, name = not waybill.digests, writer.name
        await self._turn.acquire()
        try:
            if await self._threads.run(lambda: _kept(writer, durable=durable)):
                self._places = await self._threads.run(lambda: self._look(runs=True))
                self._troubles &= self._places.keys() - {(waybill.repository, waybill.path)}
                await self._threads.run(lambda: self.notes.write((waybill.repository, waybill.path), name or ""))
        finally:
            self._turn.release()
        self._watch()

    async def recall(self, key: Key, name: str) -> None:
        """Park what another process of this machine was receiving when it ended, however that was.

        The machine runs, so every byte that the journal speaks of is in the file. One that lets go in good order may have readers
        of its own for a moment, whose descriptors hold the lock. What is said of an older one is over. A disk that does not
        answer is not waited for.
        """
        self.notes.take(key)
        with suppress(OSError):
            parked = await in_time(self._clock, Deferred.fromCoroutine(self._found(key, name)))
            if parked is not None:
                self._places[key] = parked

    async def _found(self, key: Key, name: str) -> Parked | None:
        for pause in RECALL_PAUSES:
            left = next((each for each in await self._threads.run(self._store.left) if each.name == name), None)
            if left is not None:
                for parked, _ in _read([evolve(left, clean=True)]):
                    if parked is not None and parked.key == key and parked.usable:
                        return parked
                return None
            attending = self._store.attend(name)
            if attending is None:
                return None
            attending.close()
            await deferLater(self._clock, pause)
        return None

    def _look(self, *, runs: bool) -> dict[Key, Parked]:
        """What the store has left, within the bounds, the newest of each; the rest is removed. Blocks.

        ``runs``: the machine has run ever since it was written. Then what a process left that died is good, as it is to
        ``recall``, which may be about to ask for it.
        """
        every = [left for left in self._store.left() if Session.from_json(left.about) is None]  # those are not ours
        if runs:
            every = [evolve(left, clean=True) for left in every]
        kept = {left.name for left in self.bounds.choose(every)}
        known: dict[Key, Parked] = {}
        for parked, left in _read(every):
            if left.name in kept and parked is not None and parked.usable and parked.key not in known:
                known[parked.key] = parked
            else:
                self._remove(left)
        return known

    async def take(self, key: Key) -> Parked | None:
        """Take one out, if there is one, whichever process has parked it."""
        name = self.notes.take(key)
        if name is not None:  # one's own may have grown since
            await self.recall(key, name)
        return self._places.pop(key, None)

    def resume(self, parked: Parked) -> BlobWriter | None:
        """Open what was taken; None if it is gone. ``OSError`` if there is no room for the rest. Blocks."""
        return self._store.resume(parked.left.name, parked.waybill.length)

    def give_back(self, parked: Parked) -> None:
        """What was taken cannot be used now; a newer one stays."""
        kept = self._places.setdefault(parked.key, parked)
        self._threads.run(lambda: self.notes.write(parked.key, kept.left.name))

    def is_trouble_again(self, key: Key) -> bool:
        """Upstream had trouble when it was asked for the rest of this: whether it has had before, since that was parked."""
        again = key in self._troubles
        self._troubles.add(key)
        return again

    async def forget(self, key: Key) -> None:
        """All of it is stored: what is parked of it goes, and what is just being parked by a fill that was cut before."""
        await self._turn.acquire()
        try:
            parked = await self.take(key)
            if parked is not None:
                await self.drop(parked)
        finally:
            self._turn.release()

    async def drop(self, parked: Parked) -> None:
        """Remove what was taken; nobody waits for a disk that does not let it go."""
        with suppress(OSError):
            await in_time(self._clock, self._threads.run(lambda: self._remove(parked.left)))

    def close(self) -> None:
        """Stop the clock; what is parked stays where it is."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _remove(self, left: Left) -> None:
        writer = self._store.resume(left.name, None)
        if writer is not None:
            writer.abort()

    def _watch(self) -> None:
        """Look again when the oldest has been there for too long."""
        self.close()
        if self._places:
            oldest = min(parked.left.modified for parked in self._places.values())
            delay = max(1.0, oldest + self.seconds - self._clock.seconds())
            self._timer = self._clock.callLater(delay, lambda: spawn(self._expire(), "giving up parked fills"))

    async def _expire(self) -> None:
        since = self.bounds.since
        try:
            every = await in_time(self._clock, self._threads.run(self._store.left))
            newer = {left.name: left for left in every if left.modified > since}  # other processes have added to it
            for parked in [each for each in self._places.values() if each.left.modified <= since]:
                if self._places.get(parked.key) is not parked:
                    continue  # somebody has gone on with it since
                if (left := newer.get(parked.left.name)) is not None:
                    self._places[parked.key] = evolve(parked, left=evolve(left, clean=True))
                else:
                    await self._give_up(parked)
        finally:
            self._watch()

    async def _give_up(self, parked: Parked) -> None:
        key = parked.key
        del self._places[key]
        said = self.notes.take(key)
        if said not in {None, parked.left.name}:  # by somebody who has another one of it
            self._threads.run(lambda: self.notes.write(key, said or ""))
        await self.drop(parked)


def missing(extents: Extents, size: int) -> Span:
    """The first bytes of a body that are not there; none, at its end, if all are."""
    return next(extents.missing(Span(0, size)), Span(size, size))


def _kept(writer: BlobWriter, *, durable: bool) -> bool:
    """Let go of a writer whatever the disk says. Blocks."""
    try:
        return writer.keep(durable=durable)
    except OSError:
        writer.abort()
        raise


def _read(lefts: list[Left]) -> Iterator[tuple[Parked | None, Left]]:
    """The newest first."""
    for left in sorted(lefts, key=lambda each: each.modified, reverse=True):
        try:
            yield Parked(Waybill.from_json(left.about), left), left
        except ValueError:
            yield None, left
