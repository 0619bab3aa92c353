"""What a verification finds, and what it leaves behind when it repairs."""

import os
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from regproxy.repo.damage import LOOK_SECONDS, LOOKS
from regproxy.stream.rehash import Pace
from regproxy.upkeep import verification
from regproxy.upkeep.inspection import Inspector
from regproxy.upkeep.report import Report, Trouble
from regproxy.upkeep.verification import Verification
from tests.conformance.store import read, stored
from tests.upkeep.scene import Holdings

BIG = os.urandom(5 << 20)


@pytest.fixture
def held(tmp_path: Path) -> Holdings:
    """Nothing yet."""
    return Holdings(tmp_path)


def test_nothing_is_wrong(held: Holdings) -> None:
    """Good blobs, the empty one and one of several slices, are counted and nothing is found."""
    for body in (b"", b"x", BIG):
        held.hold(body)
    report = held.verify(strict=True)
    assert ((), 3, len(BIG) + 1) == (report.findings, report.blobs, report.bytes)


def test_a_flipped_bit_is_found_and_nothing_is_touched(held: Holdings) -> None:
    """Without ``--repair`` everything stays as it was."""
    held.hold(b"good")
    name = held.hold(BIG, "a", "b")
    held.flip(name)
    (finding,) = held.verify().findings
    assert (Trouble.DAMAGED, name, ("r:a", "r:b"), False) == (finding.trouble, finding.name, finding.nodes, finding.repaired)
    assert held.file(name).exists()
    assert held.index.node("r", "a") is not None


def test_repair_of_a_damaged_blob(held: Holdings) -> None:
    """Its bytes are kept aside, every node that named it goes, the next verification is clean."""
    good = held.hold(b"good", "g")
    name = held.hold(BIG, "a", "b")
    held.flip(name)
    (finding,) = held.verify(repair=True).findings
    assert finding.repaired
    assert (held.root / "store" / "quarantine" / name).exists()
    assert [held.index.node("r", path) for path in "ab"] == [None, None]
    assert (held.index.blob(name), held.recorder.lost) == (None, ["damaged"])
    assert [blob.sha256 for blob in held.store.each()] == [good]
    assert held.verify(strict=True).findings == ()


def test_a_row_without_its_blob(held: Holdings) -> None:
    """Found, and with repair the row goes."""
    name = held.hold(b"x", "a")
    held.store.delete(name)
    assert held.troubles() == {name: Trouble.MISSING}
    assert held.verify(repair=True).findings[0].repaired
    assert held.index.node("r", "a") is None
    assert held.verify().findings == ()


@pytest.mark.parametrize("repairs", [False, True])
def test_a_blob_that_another_process_has_out_of_sight(held: Holdings, *, repairs: bool) -> None:
    """It is looked at when it comes back; the same, if its owner has died: the next start puts it back."""
    names = held.hold(b"x", "p", origin=""), held.hold(b"y", "q")
    asides = [held.store.set_aside(name) for name in names]
    made, got = Verification(held.parts, Pace(held.clock), repair=repairs, strict=False), list[Report]()
    Deferred.fromCoroutine(made.run()).addCallback(got.append)
    assert asides[0] is not None
    asides[0].restore()
    held.clock.pump([LOOK_SECONDS] * 2 * LOOKS)
    assert ((), 2, []) == (got[0].findings, got[0].blobs, held.recorder.lost)
    assert held.index.node("r", "q") is not None


def test_a_local_artifact_is_never_dropped(held: Holdings) -> None:
    """What came from no upstream keeps its row: the loss is reported each time, as not repaired."""
    name = held.hold(b"x", "mine", origin="")
    held.flip(name)
    for trouble in (Trouble.DAMAGED, Trouble.MISSING):
        (finding,) = held.verify(repair=True).violations
        assert (trouble, True, False) == (finding.trouble, finding.local, finding.repaired)
    assert held.index.node("r", "mine") is not None


def test_another_size(held: Holdings) -> None:
    """A truncated blob is found without hashing it."""
    name = held.hold(b"abc")
    held.file(name).write_bytes(b"ab")
    assert held.troubles() == {name: Trouble.SIZE}


def test_something_that_is_no_file(held: Holdings) -> None:
    """A folder under a blob's name is damage, and is put aside."""
    name = held.hold(b"abc")
    held.file(name).unlink()
    held.file(name).mkdir()
    assert held.troubles(repair=True) == {name: Trouble.DAMAGED}
    assert held.verify().findings == ()


def test_garbage_is_no_violation(held: Holdings) -> None:
    """A blob without a row harms nobody, and is collected by repair."""
    name = stored(held.store, b"orphan")
    report = held.verify(strict=True)
    assert ({name}, ()) == ({finding.name for finding in report.findings}, report.violations)
    held.verify(repair=True)
    assert list(held.store.each()) == []


def test_torn_garbage_counts_when_it_is_asked(held: Holdings) -> None:
    """No reader may ever open a name that is not complete, whether or not a row leads to it."""
    name = stored(held.store, b"orphan")
    held.flip(name)
    assert held.verify().violations == ()
    assert [Trouble.TORN] == [finding.trouble for finding in held.verify(strict=True).violations]
    held.verify(repair=True)
    assert held.verify(strict=True).findings == ()


def test_young_garbage_of_a_running_server_is_left_alone(held: Holdings) -> None:
    """Its row may be on the way."""
    name = stored(held.store, b"young")
    os.utime(held.file(name), (held.clock.seconds(), held.clock.seconds()))
    assert held.troubles(repair=True, idle=False) == {}
    held.clock.advance(3601)
    assert held.troubles(repair=True, idle=False) == {name: Trouble.ORPHAN}


def test_garbage_that_gets_a_row_while_it_is_read_is_none(held: Holdings, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a running server somebody may upload the same bytes meanwhile: he was told that they are kept."""
    name = stored(held.store, b"mine")

    async def uploaded(*_: object) -> str:
        return held.hold(b"mine", "mine", origin="")

    with monkeypatch.context() as patch:
        patch.setattr(verification, "hash_blob", uploaded)
        assert held.troubles(repair=True, strict=True) == {}
    assert read(held.store, name) == b"mine"


def test_the_spool_counts_when_it_is_asked(held: Holdings) -> None:
    """A leftover breaks the rule only with ``--strict``; what is being written is nobody's leftover."""
    writer = held.store.create(None)
    assert held.verify().violations == ()
    assert [finding.trouble for finding in held.verify(strict=True).violations] == [Trouble.SPOOL]
    assert held.verify(strict=True, live=1, idle=False).findings == ()
    writer.abort()
    assert held.verify(strict=True).findings == ()


def test_repair_empties_the_spool(held: Holdings) -> None:
    """Of a stopped server only."""
    writer = held.store.create(None)
    held.verify(repair=True, idle=False)
    assert len(held.store.unfinished()) == 1
    held.verify(repair=True)
    assert held.store.unfinished() == []
    writer.abort()


def test_a_row_that_goes_meanwhile_is_no_finding(held: Holdings) -> None:
    """On a running server eviction may be faster than who has read the row."""
    name = held.hold(b"x", "a")
    row = held.index.blob(name)
    assert row is not None
    held.store.delete(name)
    held.index.remove("r", "a")
    held.index.forget(name)
    found: list[object] = []
    Deferred.fromCoroutine(Inspector(held.parts, Pace(held.clock), repairs=True).inspect(row)).addCallback(found.append)
    assert found == [None]


def test_the_pace_is_kept() -> None:
    """Ten bytes at one byte a second take ten seconds of the clock."""
    clock, done = Clock(), list[object]()
    pace = Pace(clock, 1.0)
    Deferred.fromCoroutine(pace.took(10)).addCallback(done.append)
    clock.advance(9.5)
    assert done == []
    clock.advance(0.5)
    assert done == [None]
