"""Which connection brings which bytes of one body. Pure: it is told what happens, and says what is to be asked for.

Rules:

1. Every byte is one claim's: nobody else is asked for it while that claim lasts, and never again once it is written.
2. A claim may be carved out of another one, ahead of where that one is. The other is shortened when upstream has answered, not
   before; if it has got there meanwhile, the new claim is too late and gives up.
3. A connection that reaches the end of its claim goes on if its answer has more and the next byte is nobody's.
4. What is wanted goes first, and what is wanted includes the rest of a client that reads from the beginning: so pieces are
   taken right ahead of the prefix, not as equal parts of the whole.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from attrs import define, field

from regproxy.model.ranges import Extents, Span
from regproxy.stream.stretch import Stretch

MIB = 1 << 20
# A wanted byte that far ahead of a connection is worth another one.
FAR = 8 * MIB
LARGEST, SMALLEST = 16 * MIB, 4 * MIB
# Less is not worth taking over.
SPLIT = 2 * MIB


class Written(Protocol):
    """What is brought, as far as it is written."""

    @property
    def extents(self) -> Extents:
        """The bytes that exist: another object when some are lost."""


@define(eq=False)
class Claim(Stretch):
    """The bytes of one connection; ``confirmed`` when upstream has answered with them."""

    schedule: "Schedule" = field(kw_only=True)
    confirmed: bool = field(default=False, kw_only=True)

    def take(self, count: int) -> int:
        """As for any stretch, but what is nobody's is taken along (rule 3)."""
        if self.stop is not None and self.position + count > self.stop:
            self.schedule.extend(self)
        return super().take(count)

    @property
    def is_over(self) -> bool:
        """As for any stretch, when there is nothing to take along."""
        return super().is_over and not self.schedule.extend(self)


@define(eq=False)
class Schedule:
    """The claims on a body of ``size`` bytes."""

    _written: Written
    size: int
    claims: list[Claim] = field(factory=list, init=False)

    @property
    def extents(self) -> Extents:
        """The bytes that are written."""
        return self._written.extents

    def claim(self, span: Span) -> Claim:
        """Claim a span that was proposed by one of the three methods below."""
        made = Claim(span.start, span.stop, span.stop, schedule=self)
        self.claims.append(made)
        return made

    def whole(self) -> Claim:
        """The first answer: everything."""
        made = self.claim(Span(0, self.size))
        made.confirmed = True
        return made

    def drop(self, claim: Claim) -> None:
        """It is over, whatever it has brought."""
        self.claims.remove(claim)

    def confirm(self, claim: Claim) -> bool:
        """Upstream has answered: whoever the bytes were carved from is shortened. False: too late, they come already."""
        others = [other for other in self.claims if other is not claim and _covers(other, claim.start)]
        passed = any(other.confirmed and other.position > claim.start for other in others)
        if passed or self.extents.reach(claim.start) > claim.start:
            return False
        for other in others:
            if other.confirmed:
                other.stop = claim.start
        claim.confirmed = True
        return True

    def extend(self, claim: Claim) -> bool:
        """Let a claim take along what follows it, if that is nobody's; False if it is somebody's, or not in its answer."""
        stop = claim.stop
        if stop is None or claim.limit is None or stop >= claim.limit:
            return False
        hole = next(self._free(Span(stop, claim.limit), but=claim), None)
        if hole is None or hole.start != stop:
            return False
        claim.stop = hole.stop
        return True

    def piece(self, connections: int) -> int:
        """How much one connection should bring at a time."""
        left = self.size - self.extents.total()
        return max(SMALLEST, min(LARGEST, left // (2 * max(1, connections)) // MIB * MIB))

    def urgent(self, wanted: Sequence[Span], most: int) -> Span | None:
        """What is wanted and would not come for long."""
        for want in wanted:
            hole = next(self.extents.missing(want), None)
            if hole is None:
                continue
            owner = self._owner(hole.start)
            if owner is None or (owner.confirmed and hole.start - owner.position > FAR):
                free = next(self._free(hole, but=owner), None)
                if free is not None and free.start == hole.start:
                    return _clipped(free, most)
        return None

    def following(self, wanted: Sequence[Span], most: int | None, *, rest: bool, ahead: int | None = None) -> Span | None:
        """The first bytes that are nobody's: of what is wanted, else, with ``rest``, of all; at most ``ahead`` of the prefix."""
        for span in (*wanted, *([Span(0, self.size)] if rest else [])):
            hole = next(self._free(span), None)
            if hole is not None and (ahead is None or hole.start - self.extents.reach(span.start) <= ahead):
                return _clipped(hole, most)
        return None

    def carved(self, most: int) -> Span | None:
        """Bytes of a claim that has more than it will soon bring."""
        for owner in sorted(self.claims, key=_left, reverse=True):
            left = _left(owner)
            if left < 2 * SPLIT or not owner.confirmed or owner.stop is None:
                continue
            keeps = most if left > 2 * most else left // 2
            piece = next(self._free(Span(owner.position + keeps, owner.stop), but=owner), None)
            if piece is not None:
                return _clipped(piece, most)
        return None

    def _owner(self, offset: int) -> Claim | None:
        """Who brings a byte: of several that could, the one that begins nearest to it."""
        return max((claim for claim in self.claims if _covers(claim, offset)), key=lambda claim: claim.start, default=None)

    def _free(self, span: Span, but: Claim | None = None) -> Iterator[Span]:
        """The bytes of a span that are neither written nor claimed, in order."""
        taken = sorted((claim.start, claim.stop or self.size) for claim in self.claims if claim is not but)
        for hole in self.extents.missing(span):
            position = hole.start
            for start, stop in taken:
                if start >= hole.stop:
                    break
                if position < start:
                    yield Span(position, start)
                position = max(position, stop)
            if position < hole.stop:
                yield Span(position, hole.stop)


def _covers(claim: Claim, offset: int) -> bool:
    return claim.start <= offset and (claim.stop is None or offset < claim.stop)


def _left(claim: Claim) -> int:
    return 0 if claim.stop is None else claim.stop - claim.position


def _clipped(span: Span, most: int | None) -> Span:
    return span if most is None else Span(span.start, min(span.stop, span.start + most))
