"""The launch of a flight: ask upstream, announce what it answers, bring the body in, make it a node.

Runs detached from whoever asked first. What an upstream does wrong ends in an announcement, or, after one, in a blob that
fails; nothing is raised for it. Documents, and bodies no longer than the tail, are announced when they are stored: a
mismatch is then a clean error.
"""

from collections.abc import Callable, Sequence
from functools import partial

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred, fail
from txaio.tx import make_logger

from regproxy.errors import Kind, RegproxyError
from regproxy.model.digest import Digest
from regproxy.model.fetch import Fetch
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.model.node import Negative, Node
from regproxy.model.settings import RepositorySettings
from regproxy.model.size import parse_size
from regproxy.model.want import Shape, Want
from regproxy.model.waybill import Waybill, origin_of
from regproxy.repo.answer import read_answer
from regproxy.repo.asking import TRANSIENT, Asking, PartTroubleError, gives_parts, question_for
from regproxy.repo.connections import Spare, Way
from regproxy.repo.distrust import Distrust
from regproxy.repo.fill import KEPT_FROM, Fill, Instead, Terms, ask_for
from regproxy.repo.interface import Missing, Refused, Unavailable
from regproxy.repo.outcome import GONE, failure, refusal
from regproxy.repo.parking import Parked
from regproxy.repo.parts import Parts
from regproxy.repo.register import register
from regproxy.stream.enduring import EnduringWriter
from regproxy.stream.flight import Airborne, Flight
from regproxy.stream.growing import TAIL
from regproxy.stream.lane import in_time
from regproxy.stream.observer import OneShot
from regproxy.stream.source import Source
from regproxy.stream.spawn import spawn
from regproxy.telemetry.events import What
from regproxy.upstream.interface import Reply, Upstream

log = make_logger()

Outcome = Missing | Refused | Unavailable

_OK, _NOT_MODIFIED = 200, 304
_LATER = frozenset({429, 500, 502, 503, 504})
DESERTED_GRACE = 1.0


class _LeftError(RegproxyError):
    """A fill was stopped by us, nothing being wrong with it."""


@define(eq=False)
class Launch:
    """One launch.

    Attributes:
        held: the stale node that an answer of "unchanged" confirms.
        promised: brings the digests of the sidecar; None without one.
        distrust: told whether the body was what it had to be.
        spare: connections beyond the first.
    """

    _parts: Parts
    _settings: RepositorySettings
    _upstream: Upstream
    _want: Want
    _fetch: Fetch
    _held: Node | None
    _promised: "Callable[[], Deferred[Sequence[Digest]]] | None"
    _distrust: Distrust
    _spare: Spare
    _fill: Fill | None = field(default=None, init=False)
    _leaving: bool = field(default=False, init=False)
    _sidecar: OneShot[Sequence[Digest]] | None = field(default=None, init=False)

    async def run(self, flight: Flight[Outcome]) -> None:
        """Fly."""
        try:
            await self._fly(flight)
        except _LeftError as error:
            flight.is_left = True
            log.debug("{key}: {text}", key=":".join(flight.key), text=error.text)
        except RegproxyError as error:
            self._failed(flight, error)
        except OSError as error:
            self._failed(flight, RegproxyError(Kind.STORAGE, "it cannot be stored now", detail=str(error)))

    def _failed(self, flight: Flight[Outcome], error: RegproxyError) -> None:
        log.warn("{key}: {text} {detail}", key=":".join(flight.key), text=error.text, detail=error.detail)  # noqa: G010 - txaio's name
        if not flight.is_announced:
            flight.announce(failure(error))

    async def _fly(self, flight: Flight[Outcome]) -> None:
        if self._held is not None and self._fetch.probe is not None and await self._probe(flight, self._held):
            return
        if await self._goes_on(flight):
            return
        reply = await self._ask(self._conditions())
        if reply.status == _NOT_MODIFIED and self._held is not None:
            reply.source.abort()
            await self._confirm(self._held)
        elif reply.status == _OK:
            await self._take(flight, reply)
        else:
            reply.source.abort()
            await self._refuse(flight, reply)

    async def _goes_on(self, flight: Flight[Outcome]) -> bool:
        """Continue what was parked; False if there is nothing, or upstream does not. ``RegproxyError``: it cannot be asked."""
        parked = await self._parts.parking.take(flight.key)
        source = await self._rest(flight, parked) if parked is not None else None
        if parked is None or source is None:
            return False
        flight.leave = self._leave
        fill = await self._resumed(parked, source)
        if fill is None and self._leaving:
            raise _LeftError(Kind.UPSTREAM_DOWN, "regproxy stops")
        if fill is None:
            flight.leave = None
            return False
        if self._leaving:
            fill.stop()
        await self._land(flight, fill, source)
        return True

    async def _rest(self, flight: Flight[Outcome], parked: Parked) -> Source | None:
        """Ask for the rest of what is parked, before anything is done for it; None: ask for all of it.

        Without such a rest it is gone. It stays while upstream cannot be asked, and that is the answer, but who is in the middle
        of it waits; and where upstream has trouble again, which may be only with parts.
        """
        parking = self._parts.parking
        if not self._is_wanted(parked):
            await parking.drop(parked)
            return None
        asked = Deferred.fromCoroutine(ask_for(Asking(parked.waybill, self._ask_part), parked.missing))
        flight.leave = partial(self._leave_asking, asked)
        try:
            return await asked
        except RegproxyError as error:
            if error.kind not in TRANSIENT:
                await parking.drop(parked)
                return None
            if flight.is_awaited:
                return Instead(fail(error))
            parking.give_back(parked)
            if isinstance(error, PartTroubleError) and parking.is_trouble_again(parked.key):
                return None
            raise
        except CancelledError as error:
            parking.give_back(parked)
            raise _LeftError(Kind.UPSTREAM_DOWN, "regproxy stops") from error
        finally:
            flight.leave = None

    async def _resumed(self, parked: Parked, source: Source) -> Fill | None:
        """Open what is parked; None, and it stays, if that cannot be now."""
        fill = None
        try:
            fill = await Fill.resume(self._parts, self._settings, parked, self._terms(parked.waybill, parts=True))
        except OSError as error:
            self._parts.room.troubled(self._settings.key, error)
        finally:
            if fill is None:  # no room; or it is gone, or held by readers of its first attempt, who are about to leave
                source.abort()
                self._parts.parking.give_back(parked)
        return fill

    def _leave_asking(self, asked: "Deferred[Source]") -> None:
        self._leaving = True
        asked.cancel()

    def _is_wanted(self, parked: Parked) -> bool:
        """Whether it is of the same upstream, and what the address promises is promised by it."""
        waybill, digest = parked.waybill, self._want.digest
        return waybill.origin == origin_of(self._fetch.url) and (digest is None or digest in waybill.digests)

    def _ask_sidecar(self) -> None:
        """Ask for what says the digest while the body is flowing; its failure concerns only who awaits it."""
        if self._promised is not None and self._sidecar is None:
            sidecar: OneShot[Sequence[Digest]] = OneShot()
            self._sidecar = sidecar
            self._promised().addCallbacks(sidecar.fire, sidecar.fail)

    async def _ask(self, headers: Headers) -> Reply:
        return await self._upstream.ask(question_for(self._fetch, self._want, headers=headers))

    async def _ask_part(self, headers: Headers, url: str | None) -> Reply:
        """Upstream has the body at hand, and clients wait in the middle of it: no longer than for its next bytes."""
        question = question_for(self._fetch, self._want, headers=headers)
        patience = min(question.patience, self._settings.idle_seconds)
        return await self._upstream.ask(evolve(question, url=url or question.url, patience=patience))

    def _conditions(self) -> Headers:
        if self._held is None or self._fetch.probe is not None:
            return Headers()
        etag, modified = (self._held.validators.first(name) for name in ("etag", "last-modified"))
        fields = (("if-none-match", etag), ("if-modified-since", modified))
        return Headers(tuple((name, value) for name, value in fields if value))

    async def _probe(self, flight: Flight[Outcome], held: Node) -> bool:
        """Ask by HEAD; True if the flight has its answer, False if a GET has to follow."""
        assert self._fetch.probe is not None
        question = question_for(self._fetch, self._want, method="HEAD")
        reply = await self._upstream.ask(evolve(question, headers=self._fetch.probe.headers))
        reply.source.abort()
        if reply.status in _LATER:
            await self._refuse(flight, reply)
            return True
        if reply.status != _OK or not self._fetch.probe.unchanged(held.head, reply.hops):
            return False
        await self._confirm(held)
        return True

    async def _confirm(self, held: Node) -> None:
        await self._parts.index.refresh(evolve(held, checked=self._parts.clock.seconds()))

    async def _refuse(self, flight: Flight[Outcome], reply: Reply) -> None:
        outcome = refusal(self._upstream.name, reply.status, reply.headers, self._fetch.keep)
        repository, path = flight.key
        if reply.status in GONE and self._fetch.freshness.negative > 0:
            expires = self._parts.clock.seconds() + self._fetch.freshness.negative
            await self._parts.index.deny(Negative(repository, path, reply.status, expires, outcome.kept))
        flight.announce(outcome)

    async def _take(self, flight: Flight[Outcome], reply: Reply) -> None:
        try:
            waybill = self._waybill(flight, reply)
            terms, writer = self._terms(waybill, parts=gives_parts(reply.headers)), await self._writer(waybill)
            try:
                fill = Fill.begin(self._parts, waybill, terms, writer)
            except OSError:  # no descriptor to be had
                await self._parts.writers.run(writer.abort)
                raise
        except BaseException:
            reply.source.abort()
            raise
        await self._land(flight, fill, reply.source)

    async def _writer(self, waybill: Waybill) -> EnduringWriter:
        """Where the body goes; what is large enough to be gone on with after a restart, or to be read by other processes while it
        arrives, says what it is.
        """
        length, store, document = waybill.length, self._parts.store, self._want.shape is Shape.DOCUMENT
        worth = waybill.can_continue and length is not None and length >= KEPT_FROM
        followed = self._parts.sharing.is_shared and (length is None or length > TAIL)
        about = waybill.to_json() if (worth or followed) and not document else None
        return await self._parts.room.writer(self._settings, length, lambda: store.create(length, about), whole=document)

    def _waybill(self, flight: Flight[Outcome], reply: Reply) -> Waybill:
        announced = read_answer(reply, self._want, self._fetch, self._settings, self._upstream.name)
        digests = tuple(dict.fromkeys((*((self._want.digest,) if self._want.digest else ()), *announced.digests)))
        validators = reply.headers.only(("etag", "last-modified"))
        return Waybill(*flight.key, origin_of(self._fetch.url), announced, digests, validators)

    @property
    def _only_asked(self) -> bool:
        """Whether only what clients ask for is brought; what those of other processes ask for is not known here."""
        return self._settings.fill == "asked" and not self._parts.sharing.is_shared

    def _terms(self, waybill: Waybill, *, parts: bool) -> Terms:
        settings, is_document = self._settings, self._want.shape is Shape.DOCUMENT
        large = waybill.length is not None and waybill.length >= parse_size(settings.segment_threshold)
        return Terms(
            self._ask_part,
            Way(settings.segments if large else 1, not self._only_asked or is_document, parts, self._spare),
            withheld=self._promised is not None,
            deserted=self._deserted,
        )

    async def _land(self, flight: Flight[Outcome], fill: Fill, source: Source) -> None:
        """Bring a body in, from wherever it is; what was left or cut may be parked for the next who asks."""
        self._fill = fill
        flight.size, flight.leave = fill.blob.size, self._leave
        if fill.writer.name is not None:
            flight.spool(fill.writer.name)
        fill.blob.turned, fill.blob.closed = self._turned, flight.close
        self._ask_sidecar()
        try:
            while not await self._received(flight, fill, source):
                # Who has come since then gets the rest, if that can be had.
                if self._leaving or not (fill.blob.readers and fill.waybill.can_continue):
                    raise _LeftError(Kind.UPSTREAM_DOWN, "regproxy stops" if self._leaving else "every client has left")
                source = await fill.go_on()
            await self._store(flight, fill)
        except BaseException as error:
            await (fill.park(error) if self._may_park(fill, error) else fill.give_up(error))
            raise
        fill.blob.release()

    def _may_park(self, fill: Fill, error: BaseException) -> bool:
        """What was left is kept if the repository says so; what was cut, by upstream or by our own end, always is."""
        if not isinstance(error, RegproxyError) or not fill.waybill.can_continue or fill.blob.is_passing:
            return False
        if isinstance(error, _LeftError) and not self._leaving:
            return self._settings.landing == "park" or self._only_asked
        return error.kind in TRANSIENT

    async def _received(self, flight: Flight[Outcome], fill: Fill, source: Source) -> bool:
        """Take the body to its end; False if that was stopped because nobody was there any more."""
        self._announce_when_due(flight, fill)
        try:
            await fill.receive(source)
        except CancelledError:
            return False
        return True

    async def _store(self, flight: Flight[Outcome], fill: Fill) -> None:
        found = await self._verified(fill)
        sha256 = found["sha256"].hex
        fill.blob.succeed()
        if not fill.blob.is_passing and await self._kept(flight, fill, found):
            return
        if not flight.is_announced:
            # It is complete; whoever waits for it holds it before this returns.
            flight.announce(Airborne(fill.waybill.announced.head.landed(fill.received, sha256), fill.blob))
        await fill.discard()

    async def _kept(self, flight: Flight[Outcome], fill: Fill, found: dict[str, Digest]) -> bool:
        """Store it; False if that is not possible, which concerns nobody who waits for the body."""
        sha256 = found["sha256"].hex
        try:
            await fill.commit(sha256)
            try:
                await in_time(self._parts.clock, Deferred.fromCoroutine(register(self._parts, flight.key, fill, found)))
            finally:
                fill.settle()
        except (OSError, RegproxyError) as error:
            if isinstance(error, RegproxyError) and error.kind is not Kind.STORAGE:
                raise
            self._parts.room.troubled(flight.key[0], error)
            return False
        spawn(self._parts.parking.forget(flight.key), "removing what was parked")
        return True

    def _turned(self) -> None:
        """In the middle of a body, the disk takes no more of it."""
        fill = self._fill
        if fill is not None and fill.writer.error is not None:
            self._parts.room.troubled(self._settings.key, fill.writer.error)
            fill.free()
            self._deserted()

    async def _verified(self, fill: Fill) -> dict[str, Digest]:
        policy = self._settings.remote_repo_checksum_policy_type
        try:
            found = await fill.verify(self._sidecar.when if self._sidecar else None)
        except RegproxyError as error:
            if error.kind is Kind.INTEGRITY:
                await self._distrust.came(self._want.path)
                self._parts.recorder.verification_failed(self._settings.key)
                self._parts.events.tell(What.MISMATCH, repository=self._settings.key, path=self._want.path, detail=error.text)
            raise
        if policy == "fail" and self._want.shape is not Shape.DOCUMENT and not fill.waybill.digests and self._sidecar is None:
            raise RegproxyError(Kind.INTEGRITY, "nobody says what these bytes must be, and the repository demands it")
        self._distrust.mended(self._want.path)
        return found

    def _announce_when_due(self, flight: Flight[Outcome], fill: Fill) -> None:
        """Let clients in: at the headers of a body that is longer than the tail, never before it is stored for the others."""
        if self._want.shape is Shape.DOCUMENT or flight.is_announced:
            return
        size = fill.blob.size
        if size is None:
            fill.blob.wait(TAIL + 1).addCallback(lambda _: self._let_in(flight, fill) if fill.blob.failed is None else None)
        elif size > TAIL:
            self._let_in(flight, fill)

    def _let_in(self, flight: Flight[Outcome], fill: Fill) -> None:
        if not fill.blob.complete:
            head: Head = fill.waybill.announced.head
            flight.announce(Airborne(head, fill.blob))
            if fill.blob.is_passing:
                self._deserted()  # if nobody has come for it

    def _deserted(self) -> None:
        """The last client has left a fill: land it all the same, unless it is not kept, or the repository is told otherwise."""
        goes_on = self._settings.landing == "continue" and not self._only_asked
        if not goes_on or (self._fill is not None and self._fill.blob.is_passing):
            self._parts.clock.callLater(DESERTED_GRACE, self._stop_if_deserted)

    def _leave(self) -> None:
        """Regproxy stops: leave the fill where it is."""
        self._leaving = True
        if self._fill is not None:
            self._fill.stop()

    def _stop_if_deserted(self) -> None:
        fill = self._fill
        if fill is None or fill.blob.readers or fill.blob.complete or fill.blob.failed is not None:
            return
        if not fill.writer.is_attended:  # the clients of other processes may want all of it
            fill.stop()
