"""The algebra of byte ranges, against sets of numbers."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regproxy.model.ranges import MAX_RANGES, Extents, Span, Unsatisfiable, parse_content_range, parse_range

SIZE = 120
offsets = st.integers(0, SIZE)
spans = st.builds(Span, offsets, offsets)


def filled(pieces: list[Span]) -> tuple[Extents, set[int]]:
    """The same bytes twice: as extents, and as a set."""
    extents, there = Extents(), set[int]()
    for span in pieces:
        extents.add(span)
        there.update(range(span.start, span.stop))
    return extents, there


def numbers(found: object) -> set[int]:
    """The bytes of some spans."""
    return {byte for span in found for byte in range(span.start, span.stop)}  # type: ignore[attr-defined] # an iterable of them


@given(st.lists(spans, max_size=30))
def test_extents_are_what_was_added(pieces: list[Span]) -> None:
    """In whatever order: sorted, disjoint, never adjacent, never empty."""
    extents, there = filled(pieces)
    found = list(extents)
    assert (numbers(found), extents.total()) == (there, len(there))
    assert all(span.start < span.stop for span in found)
    assert all(before.stop < after.start for before, after in itertools.pairwise(found))


@given(st.lists(spans, max_size=30), st.integers(0, SIZE + 5))
def test_reach_ends_at_the_first_hole(pieces: list[Span], offset: int) -> None:
    """One byte after the other, until one is missing."""
    extents, there = filled(pieces)
    expected = offset
    while expected in there:
        expected += 1
    assert extents.reach(offset) == expected


@given(st.lists(spans, max_size=30), spans)
def test_missing_is_the_rest(pieces: list[Span], asked: Span) -> None:
    """The holes in a span, in order, each as large as it can be; adding them leaves none."""
    extents, there = filled(pieces)
    holes = list(extents.missing(asked))
    assert numbers(holes) == set(range(asked.start, asked.stop)) - there
    assert holes == sorted(holes)
    assert all(before.stop < after.start for before, after in itertools.pairwise(holes))
    for hole in holes:
        extents.add(hole)
    assert list(extents.missing(asked)) == []


@given(st.lists(spans, max_size=12), st.randoms())
def test_order_does_not_matter(pieces: list[Span], chance: object) -> None:
    """Writers of several connections come in any order."""
    shuffled = list(pieces)
    chance.shuffle(shuffled)  # type: ignore[attr-defined] # Hypothesis' random.Random
    assert list(filled(pieces)[0]) == list(filled(shuffled)[0])


def wanted(spec: tuple[int | None, int | None], size: int) -> list[int]:
    """What RFC 9110 says that a spec selects."""
    first, last = spec
    if first is None:
        return list(range(size))[-last:] if last else []
    return [byte for byte in range(size) if first <= byte <= (size if last is None else last)]


specs = st.tuples(st.none() | offsets, st.none() | offsets).filter(
    lambda spec: spec != (None, None) and not (spec[0] is not None and spec[1] is not None and spec[1] < spec[0])
)


@given(st.lists(specs, min_size=1, max_size=8), st.integers(0, SIZE), st.sampled_from(["bytes=", "Bytes =", "bytes= "]))
def test_a_header_selects_what_it_says(asked: list[tuple[int | None, int | None]], size: int, unit: str) -> None:
    """Each spec its bytes, in the order asked for; those that select nothing are left out, and if all do it is 416.

    Several that select more than there is are not answered as such.
    """
    text = unit + " , ".join(f"{'' if first is None else first}-{'' if last is None else last}" for first, last in asked)
    expected = [bytes_of for spec in asked if (bytes_of := wanted(spec, size))]
    try:
        found = parse_range(text, size)
    except Unsatisfiable:
        assert expected == []
        return
    if len(expected) > 1 and sum(map(len, expected)) > size:
        assert found is None
    else:
        assert found is not None
        assert [list(range(span.start, span.stop)) for span in found] == expected


@given(st.text(alphabet="bytes=-, 0123456789x\t\u0663", max_size=40), st.integers(0, SIZE))
def test_any_header(text: str, size: int) -> None:
    """Whatever stands there, the spans lie within the body."""
    try:
        found = parse_range(text, size)
    except Unsatisfiable:
        return
    assert found is None or (found and all(0 <= span.start < span.stop <= size for span in found))


@pytest.mark.parametrize("text", ["bytes", "bytes=", "bytes=,", "bytes=-", "bytes=5-2", "bytes=1", "items=0-1", "bytes=0-1;2-3"])
def test_what_is_ignored(text: str) -> None:
    """A header that is none is as if it were not there."""
    assert parse_range(text, 10) is None


def test_too_many_ranges_are_ignored() -> None:
    """They cost more than they are worth."""
    assert parse_range("bytes=" + ",".join(["0-0"] * (MAX_RANGES + 1)), 10) is None


@given(offsets, st.integers(1, SIZE), st.none() | st.integers(0, 3 * SIZE))
def test_content_range(start: int, length: int, whole: int | None) -> None:
    """What a server says of a part, unless the part would not fit into the whole."""
    text = f"bytes {start}-{start + length - 1}/{'*' if whole is None else whole}"
    fits = whole is None or start + length <= whole
    assert parse_content_range(text) == ((Span(start, start + length), whole) if fits else None)


@pytest.mark.parametrize(
    "text", ["", "bytes */5", "bytes 5-4/9", "bytes 0-9/5", "bytes 0-1", "items 0-1/2", "bytes -1-1/2", "bytes 0-1/2x"]
)
def test_what_is_no_content_range(text: str) -> None:
    """Nonsense is nothing."""
    assert parse_content_range(text) is None
