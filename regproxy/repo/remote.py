"""A remote repository: serves what it holds while that may be believed, and asks its upstream otherwise, once for everybody.

The order of things: patterns, the index, the negative answers, the flights. A copy that is stale stands in whenever upstream is
slow (the latency budget), rate-limiting or down; only upstream's own 404, 401 or 403 takes it away.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from txaio.tx import make_logger

from regproxy.errors import Kind, RegproxyError
from regproxy.model.digest import Digest
from regproxy.model.fetch import Fetch, Hop, Sidecar
from regproxy.model.freshness import Freshness
from regproxy.model.headers import Headers
from regproxy.model.node import Negative, Node
from regproxy.model.patterns import Patterns
from regproxy.model.ranges import parse_content_range
from regproxy.model.settings import RepositorySettings
from regproxy.model.want import DOCUMENT_LIMIT, Shape, Want
from regproxy.repo.asking import question_for
from regproxy.repo.distrust import Distrust
from regproxy.repo.interface import Answer, Body, Described, Format, Missing, Origin, Refused, Unavailable
from regproxy.repo.launch import Launch, Outcome
from regproxy.repo.outcome import GONE, failure, refusal
from regproxy.repo.parts import Parts
from regproxy.repo.shelf import Shelf
from regproxy.repo.spare import SpareConnections
from regproxy.repo.spoken import heard, spoken
from regproxy.sharing.terms import Terms
from regproxy.stream.flight import Airborne, Flight, Flights
from regproxy.stream.flight import Launch as RunLaunch
from regproxy.stream.places import RETRY_AFTER
from regproxy.upstream.interface import Upstream

log = make_logger()

BUDGET = 2.0
TOO_MANY = Unavailable(503, "too many artifacts are on their way at once", RETRY_AFTER)
PLANS = 1024


@define(eq=False)
class Remote:
    """One remote repository. ``flights`` is its own table."""

    _settings: RepositorySettings
    _format: Format
    upstream: Upstream
    _parts: Parts
    _shelf: Shelf
    flights: Flights[Outcome] = field(init=False)
    _heads: "Flights[Outcome | Described]" = field(init=False)
    _patterns: Patterns = field(init=False)
    _spare: SpareConnections = field(init=False)
    _distrust: Distrust = field(init=False)
    _plan: Callable[[Want], Fetch] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.flights = Flights(self._parts.clock, self._parts.fills)
        self._heads = Flights(self._parts.clock)
        self._distrust = Distrust(self.key, self._parts.index, self._parts.clock)
        self._spare = SpareConnections.of(self._parts.clock, self._settings.max_connections, self._parts.processes)
        self._plan = lru_cache(maxsize=PLANS)(self._planned)
        self._patterns = Patterns.of(self._settings.includes_pattern, self._settings.excludes_pattern)

    @property
    def key(self) -> str:
        """Its name in addresses."""
        return self._settings.key

    @property
    def settings(self) -> RepositorySettings:
        """Its configuration."""
        return self._settings

    def has(self, path: str, digest: Digest | None = None) -> bool:
        """Whether a node is held there."""
        node = self._parts.index.node(self.key, path)
        return node is not None and _is(node, digest)

    async def resolve(self, want: Want) -> Answer:
        """Find what is wanted."""
        refused = self.refusal(want.path)
        if refused is not None:
            return refused
        fetch = self._plan(want)
        node = self._parts.index.node(self.key, want.path)
        if node is not None and not _is(node, want.digest):
            node = None
        now, bad = self._parts.clock.seconds(), None
        if node is not None and fetch.freshness.is_fresh(node.checked, now):
            body = await self._held(node, Origin.HIT)
            if body is not None:
                return body
            node, bad = None, node
        negative = self._parts.index.negative(self.key, want.path)
        if negative is not None and now < negative.expires <= now + fetch.freshness.negative:
            return Missing(f"{self.upstream.name} does not have it", negative.kept)
        if node is None and not want.body and self._may_describe(want):
            return await self._describe(want, fetch)
        return await self._board(want, fetch, node, bad)

    async def close(self) -> None:
        """Leave the fills that are in the air, keeping what they have, and close the upstream."""
        for flight in self.flights:
            if flight.leave is not None:
                flight.leave()
                await flight.landed()
        await self.upstream.close()

    def refusal(self, path: str) -> Refused | None:
        """What whoever asks for a path is told at once, be it held or not."""
        if self._settings.blacked_out:
            return Refused(403, f"repository {self.key} is blacked out")
        if not self._format.admits(self._patterns, path):
            return Refused(403, f"repository {self.key} excludes this path by its patterns")
        return None

    def _planned(self, want: Want) -> Fetch:
        """Make the plan of the format, which is pure: hot wants have theirs made once."""
        fetch = self._format.plan(want, self._settings)
        period, negative = fetch.freshness.period, fetch.freshness.negative
        if period is not None and self._settings.retrieval_cache_period_secs is not None:
            period = float(self._settings.retrieval_cache_period_secs)
        if self._settings.missed_retrieval_cache_period_secs is not None:
            negative = float(self._settings.missed_retrieval_cache_period_secs)
        return evolve(fetch, freshness=Freshness(period, negative))

    async def _held(self, node: Node, origin: Origin) -> Body | None:
        readable = await self._shelf.open(node)
        if readable is None:
            return None
        now = self._parts.clock.seconds()
        self._parts.index.used(node.repository, node.path, node.sha256, now)
        age = max(0, int(now - node.checked))
        return Body(node.head, readable, origin, age, resumable=self._distrust.is_trusted(node.path), path=node.path)

    async def _board(self, want: Want, fetch: Fetch, held: Node | None, bad: Node | None = None) -> Answer:
        """Join the flight, or let it begin. ``bad`` is known, but has no good blob; its row may have to stay for now."""
        if self.flights.get((self.key, want.path)) is None and (refused := self._refuses(want)):
            return await self._boarded(want, held, refused, Origin.FILL)
        promised = None
        if fetch.sidecar is not None:
            sidecar = fetch.sidecar
            promised = lambda: Deferred.fromCoroutine(self._promised(sidecar))  # noqa: E731 - a launch may not need it
        launch = Launch(
            self._parts,
            self._settings,
            self.upstream,
            want,
            fetch,
            held,
            promised,
            self._distrust,
            self._spare,
        )
        flight, joined = self.flights.join((self.key, want.path), self._shared(want, held, bad, launch.run))
        if not joined:
            flight.digest = want.digest
        elif want.digest is not None and want.digest != flight.digest:
            # It brings what the path was known by before, which is neither verified for who comes now nor what he wants.
            await flight.landed()
            return await self.resolve(want)
        announced = flight.announced()
        if held is not None:
            announced.addTimeout(self._budget(flight.began), self._parts.clock)
        try:
            outcome = await announced
        except DeferredTimeout:
            outcome = Unavailable(504, f"{self.upstream.name} is slow")
        except RegproxyError as error:
            outcome = failure(error)
        if isinstance(outcome, Airborne) and (outcome.blob.failed is not None or outcome.blob.is_released):
            # It has failed and is about to leave the table, and whoever comes now is not to be cut for that; or another process
            # had just finished it, so that it was over before it was joined.
            await flight.landed()
            return await self.resolve(want)
        origin = Origin.JOINED if joined or flight.is_elsewhere else Origin.FILL
        return await self._boarded(want, held, outcome, origin)

    def _refuses(self, want: Want) -> Unavailable | None:
        """Why upstream is not asked for it now, whatever its state."""
        if self.flights.places.refuses():
            return TOO_MANY
        if self._distrust.is_paused(want.path):
            return Unavailable(502, f"{self.upstream.name} sent wrong bytes for it again and again")
        return None

    def _shared(self, want: Want, held: Node | None, bad: Node | None, launch: "RunLaunch[Outcome]") -> "RunLaunch[Outcome]":
        """A launch that is one for all processes, if what it brings is stored where all of them see it."""
        if not self._settings.store_artifacts_locally:
            return launch
        key = (self.key, want.path)

        def arrived() -> bool:
            node = self._parts.index.node(*key)
            if node is None or node == bad or not _is(node, want.digest):
                return False
            return held is None or node.checked > held.checked

        async def recall(name: str) -> None:
            await self._parts.parking.recall(key, name)

        return self._parts.sharing.launch(launch, Terms(arrived, recall, spoken, heard))

    async def _boarded(self, want: Want, held: Node | None, outcome: Airborne | Outcome | None, origin: Origin) -> Answer:
        match outcome:
            case Airborne(head, blob) if want.body:
                return Body(head, blob.hold(), origin, resumable=self._distrust.is_trusted(want.path), path=want.path)
            case Airborne(head, _):
                return Described(head, origin)
            case Unavailable() if held is not None:
                return await self._held(held, Origin.STALE) or outcome
            case None:
                return await self._landed(want, held, origin if held is None else Origin.HIT)
            case _:
                return outcome

    async def _landed(self, want: Want, held: Node | None, origin: Origin) -> Answer:
        """Answer from the index after a flight that stored something or confirmed what was held."""
        node = self._parts.index.node(self.key, want.path)
        body = await self._held(node, origin) if node is not None else None
        if body is None and held is not None:  # it was confirmed, but has no good blob: all of it is asked for
            return await self._board(want, self._plan(want), None, node)
        return body or Unavailable(503, "it was fetched, but cannot be found again")

    def _budget(self, began: float) -> float:
        """How much longer upstream may take before a stale copy is served; nothing, if it failed when it was last asked."""
        if self.upstream.doubtful:
            return 0.0
        explicit = self._settings.metadata_retrieval_timeout_secs
        return max(0.0, (BUDGET if explicit is None else explicit) - (self._parts.clock.seconds() - began))

    async def _promised(self, sidecar: Sidecar) -> Sequence[Digest]:
        answer = await self.resolve(sidecar.want)
        match answer:
            case Body():
                return await self._shelf.parse(answer, DOCUMENT_LIMIT, sidecar.read)
            case Missing():
                return ()
        raise RegproxyError(Kind.UPSTREAM_DOWN, "what says which bytes these must be cannot be had now")

    # HEAD of what is not held: upstream's own head, without the body.

    def _may_describe(self, want: Want) -> bool:
        flying = self.flights.get((self.key, want.path)) is not None
        return want.shape is not Shape.DOCUMENT and not flying and not self._settings.bypass_head_requests

    async def _describe(self, want: Want, fetch: Fetch) -> Answer:
        async def launch(flight: "Flight[Outcome | Described]") -> None:
            try:
                flight.announce(await self._upstream_head(want, fetch))
            except RegproxyError as error:
                flight.announce(failure(error))

        flight, _ = self._heads.join((self.key, want.path), launch)
        outcome = await flight.announced()
        assert outcome is not None
        assert not isinstance(outcome, Airborne)
        return outcome

    async def _upstream_head(self, want: Want, fetch: Fetch) -> Outcome | Described:
        reply = await self.upstream.ask(question_for(fetch, want, method="HEAD"))
        reply.source.abort()
        stopped = fetch.head_stops is not None and fetch.head_stops(reply.hops[-1])
        if reply.status == 200 or stopped:  # noqa: PLR2004 - OK
            return Described(fetch.read(reply.hops).head, Origin.PASS)
        if reply.status in GONE:
            return await self._deny(want, fetch, reply.status, reply.headers)
        return await self._head_by_range(want, fetch)

    async def _head_by_range(self, want: Want, fetch: Fetch) -> Outcome | Described:
        """Some upstreams refuse HEAD where they allow GET (signed URLs, public ECR): ask for one byte instead."""
        reply = await self.upstream.ask(question_for(fetch, want, headers=Headers.of(range="bytes=0-0")))
        reply.source.abort()
        if reply.status == 206:  # noqa: PLR2004 - Partial Content
            span = parse_content_range(reply.headers.first("content-range") or "")
            whole = span[1] if span else None
            last = reply.hops[-1]
            fields = last.headers.without("content-range", "content-length")
            if whole is not None:
                fields = fields.plus(("content-length", str(whole)))
            return Described(fetch.read((*reply.hops[:-1], Hop(last.url, 200, fields))).head, Origin.PASS)
        if reply.status == 200:  # noqa: PLR2004 - OK
            return Described(fetch.read(reply.hops).head, Origin.PASS)
        if reply.status in GONE:
            return await self._deny(want, fetch, reply.status, reply.headers)
        return refusal(self.upstream.name, reply.status, reply.headers, fetch.keep)

    async def _deny(self, want: Want, fetch: Fetch, status: int, headers: Headers) -> Outcome:
        outcome = refusal(self.upstream.name, status, headers, fetch.keep)
        if fetch.freshness.negative > 0:
            expires = self._parts.clock.seconds() + fetch.freshness.negative
            await self._parts.index.deny(Negative(self.key, want.path, status, expires, outcome.kept))
        return outcome


def _is(node: Node, digest: Digest | None) -> bool:
    return digest is None or digest.algorithm != "sha256" or digest.hex == node.sha256
