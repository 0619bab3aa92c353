"""States of the hashes along a body that passes through."""

import hashlib

import pytest

from regproxy.stream.checkpoints import MOST, SPACING, Checkpoints
from regproxy.stream.hashing import Hashes


def at(count: int) -> Hashes:
    """The state behind so many zeros, up to a mebibyte of them."""
    hashes = Hashes.of((), None)
    hashes.update([bytes(count % (1 << 20))])
    return hashes


def sha256(hashes: Hashes) -> str:
    """Its value."""
    return hashes.digests()["sha256"].hex


def test_the_last_one_before() -> None:
    """Of those that are far enough from one another; what it gives is a copy."""
    points = Checkpoints(100, at(100))
    points.add(100 + SPACING - 1, at(1))
    points.add(100 + SPACING, at(2))
    points.add(100 + 2 * SPACING - 1, at(3))
    assert [points.before(where)[0] for where in (100, 99 + SPACING, 100 + SPACING, 100 + 2 * SPACING)] == [
        100,
        100,
        100 + SPACING,
        100 + SPACING,
    ]
    _, hashes = points.before(100)
    hashes.update([b"x"])
    assert sha256(points.before(100)[1]) == hashlib.sha256(bytes(100)).hexdigest()
    with pytest.raises(LookupError):
        points.before(99)


def test_there_are_not_too_many() -> None:
    """Every other one goes, but the first two, and from then on they are twice as far apart; as many as there may be stay."""
    points, offsets = Checkpoints(0, at(0)), [number * SPACING for number in range(1, MOST + 1)]
    for offset in offsets[:-1]:
        points.add(offset, at(offset))
    assert [points.before(offset)[0] for offset in offsets[:-1]] == offsets[:-1]
    points.add(offsets[-1], at(0))
    found = sorted({points.before(offset)[0] for offset in offsets})
    assert (found[0], len(found)) == (SPACING, len(found))
    assert len(found) <= MOST // 2 + 1
    last = points.before(1 << 60)[0]
    points.add(last + 2 * SPACING - 1, at(0))
    assert points.before(1 << 60)[0] == last
    points.add(last + 2 * SPACING, at(0))
    assert points.before(1 << 60)[0] == last + 2 * SPACING
