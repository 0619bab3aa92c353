"""Schedules of connections: every byte once, what is wanted first, and never far from the prefix."""

from collections.abc import Sequence

from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st

from regproxy.model.ranges import Extents, Span
from regproxy.repo.schedule import FAR, LARGEST, MIB, SMALLEST, SPLIT, Claim, Schedule

SIZE = 256 * MIB


@define
class Body:
    """What is written."""

    extents: Extents = field(factory=Extents)


@define
class World:
    """An upstream and its connections, step by step; ``fetched`` is what came, ``order`` in which order it was asked for."""

    size: int
    schedule: Schedule = field(init=False)
    waiting: list[Claim] = field(factory=list)
    flowing: list[Claim] = field(factory=list)
    fetched: list[Span] = field(factory=list)
    order: list[Span] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.schedule = Schedule(Body(), self.size)
        self.flowing.append(self.schedule.whole())

    def ask(self, span: Span | None) -> None:
        """Begin a connection, if that is proposed."""
        if span is not None:
            self.order.append(span)
            self.waiting.append(self.schedule.claim(span))

    def answer(self, number: int) -> None:
        """Upstream answers one that waits."""
        claim = self.waiting.pop(number % len(self.waiting))
        if self.schedule.confirm(claim):
            self.flowing.append(claim)
        else:
            self.schedule.drop(claim)

    def bring(self, number: int, count: int) -> None:
        """Bytes come on one that flows; it ends when it has nothing more to bring."""
        claim = self.flowing[number % len(self.flowing)]
        start, sent = claim.position, min(count, (claim.limit or 0) - claim.position)
        taken = claim.take(sent)
        if taken:
            self.fetched.append(Span(start, start + taken))
            self.schedule.extents.add(Span(start, start + taken))
        if claim.is_over or claim.position == claim.limit:
            self.flowing.remove(claim)
            self.schedule.drop(claim)

    def fail(self, number: int) -> None:
        """One that flows breaks."""
        claim = self.flowing.pop(number % len(self.flowing))
        self.schedule.drop(claim)


def proposal(schedule: Schedule, wanted: Sequence[Span], most: int) -> Span | None:
    """What the driver would ask for next."""
    return (
        schedule.urgent(wanted, most)
        or schedule.following(wanted, most, rest=True, ahead=64 * MIB)
        or schedule.carved(most)
        or (None if schedule.claims else schedule.following(wanted, most, rest=True))
    )


STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", "answer", "bring", "bring", "bring"]), st.integers(0, 9), st.integers(1, 40 * MIB)),
    max_size=120,
)
WANTED = st.lists(
    st.tuples(st.integers(0, SIZE - 1), st.integers(1, SIZE)).map(lambda pair: Span(pair[0], min(SIZE, pair[0] + pair[1]))),
    max_size=3,
)


def run(world: World, steps: list[tuple[str, int, int]], wanted: Sequence[Span], failing: frozenset[int] = frozenset()) -> None:
    """Take the steps, then go on until everything is there."""
    steps = [*steps, *[("ask", 0, 0), ("answer", 0, 0), ("bring", 0, 16 * MIB), ("bring", 1, 16 * MIB)] * 200]
    for number, (what, which, count) in enumerate(steps):
        if number in failing and world.flowing:
            world.fail(which)
        if what == "ask" and len(world.waiting) + len(world.flowing) < 6:
            world.ask(proposal(world.schedule, wanted, world.schedule.piece(4)))
        elif what == "answer" and world.waiting:
            world.answer(which)
        elif what == "bring" and world.flowing:
            world.bring(which, count)


@settings(max_examples=40, deadline=None)
@given(STEPS, WANTED)
def test_every_byte_is_fetched_once(steps: list[tuple[str, int, int]], wanted: list[Span]) -> None:
    """Whatever the order of answers and bytes, without failures nothing comes twice, and everything comes."""
    world = World(SIZE)
    run(world, steps, wanted)
    assert list(world.schedule.extents) == [Span(0, SIZE)]
    assert sum(map(len, world.fetched)) == SIZE
    assert world.flowing == []
    assert not any(claim.confirmed for claim in world.schedule.claims)


@settings(max_examples=40, deadline=None)
@given(STEPS, WANTED, st.frozensets(st.integers(0, 200)))
def test_failures_give_their_bytes_back(steps: list[tuple[str, int, int]], wanted: list[Span], failing: frozenset[int]) -> None:
    """What a broken connection has not brought is brought by others, and only that."""
    world = World(SIZE)
    run(world, steps, wanted, failing)
    assert list(world.schedule.extents) == [Span(0, SIZE)]
    assert sum(map(len, world.fetched)) == SIZE


def test_one_connection_needs_no_other() -> None:
    """Who reads from the beginning, or a little ahead, is served by the first."""
    schedule = World(SIZE).schedule
    assert schedule.urgent([Span(0, SIZE), Span(FAR, FAR + MIB)], LARGEST) is None


def test_what_is_far_and_wanted_is_urgent() -> None:
    """It is carved out of the first connection's claim, when upstream has answered; the rest is nobody's."""
    world = World(SIZE)
    footer = Span(SIZE - MIB, SIZE)
    assert world.schedule.urgent([Span(0, SIZE), footer], LARGEST) == footer
    world.ask(footer)
    assert world.schedule.urgent([footer], LARGEST) is None
    (first,) = world.flowing
    assert first.stop == SIZE
    world.answer(0)
    assert first.stop == footer.start


def test_who_comes_too_late_leaves() -> None:
    """The first connection has got there in the meantime."""
    world = World(SIZE)
    world.ask(Span(9 * MIB, 10 * MIB))
    world.bring(0, 9 * MIB + 1)
    world.answer(0)
    assert world.schedule.claims == world.flowing
    assert len(world.flowing) == 1


def test_pieces_lie_right_ahead_of_the_prefix() -> None:
    """In order, of moderate size, one for each connection: not equal parts of the whole."""
    world = World(1 << 30)
    for _ in range(3):
        world.ask(world.schedule.carved(LARGEST))
    assert world.order == [Span(LARGEST * n, LARGEST * (n + 1)) for n in (1, 2, 3)]
    world.answer(0)
    assert world.schedule.following([], LARGEST, rest=True, ahead=100 * LARGEST) == Span(4 * LARGEST, 5 * LARGEST)
    assert world.schedule.following([], LARGEST, rest=True, ahead=3 * LARGEST) is None


def test_a_connection_goes_on_where_a_piece_was_given_back() -> None:
    """What it has anyway needs no further request."""
    world = World(SIZE)
    world.ask(Span(32 * MIB, 48 * MIB))
    world.answer(0)
    first, second = world.flowing
    world.fail(1)
    world.bring(0, 100 * MIB)
    assert second not in world.schedule.claims
    assert (first.position, first.stop) == (100 * MIB, SIZE)


def test_the_tail_is_shared() -> None:
    """Who has nothing to do takes half of what another one has left, as long as that is worth it."""
    world = World(8 * MIB)
    world.ask(world.schedule.carved(SMALLEST))
    assert world.order == [Span(4 * MIB, 8 * MIB)]
    world.answer(0)
    assert world.schedule.carved(SMALLEST) == Span(2 * MIB, 4 * MIB)
    world.bring(0, 3 * MIB)
    world.bring(1, 3 * MIB)
    assert 2 * SPLIT > MIB
    assert world.schedule.carved(SMALLEST) is None


def test_only_what_is_asked_for() -> None:
    """Without the rest, nothing is proposed but what is wanted."""
    schedule = Schedule(Body(), SIZE)
    assert schedule.following([], None, rest=False) is None
    assert schedule.following([Span(5, 9)], None, rest=False) == Span(5, 9)
    assert schedule.following([Span(5, 9)], 2, rest=True) == Span(5, 7)
