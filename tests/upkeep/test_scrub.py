"""The scrub finds what has rotted within one cycle, keeps its pace, and goes on where it was."""

import errno
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from regproxy.stream.rehash import SLICE
from regproxy.upkeep.scrub import Scrub
from tests.upkeep.scene import Holdings

PERIOD = 1000.0


@pytest.fixture
def held(tmp_path: Path) -> Holdings:
    """Nothing yet."""
    return Holdings(tmp_path)


def step(scrub: Scrub) -> float:
    """One step."""
    got: list[float] = []
    Deferred.fromCoroutine(scrub.step()).addCallback(got.append)
    return got[0]


def cycle(held: Holdings, scrub: Scrub, steps: int = 200) -> float:
    """Step until it waits for the next cycle; the seconds that it took."""
    began = held.clock.seconds()
    for _ in range(steps):
        pause = step(scrub)
        if pause > PERIOD / 2:
            return held.clock.seconds() - began
        held.clock.advance(pause)
    raise AssertionError("no end")


def test_rot_is_found_within_a_cycle(held: Holdings) -> None:
    """Each blob is read; the one with a turned bit, and the one that is gone, leave the index."""
    names = [held.hold(bytes([number]) * 5000) for number in range(10)]
    held.flip(names[3])
    held.store.delete(names[7])
    cycle(held, Scrub(held.parts, 1e6, PERIOD))
    assert sorted(held.recorder.lost) == ["damaged", "missing"]
    assert {blob.sha256 for blob in held.store.each()} == set(names) - {names[3], names[7]}
    assert held.verify(strict=True).findings == ()


def test_an_upload_of_what_has_rotted_stays(held: Holdings) -> None:
    """What was read through is not what has the name by now."""
    name = held.hold(b"mine" * SLICE, "mine", origin="")
    held.flip(name)
    scrub = Scrub(held.parts, 1e9, PERIOD)
    for _ in range(3):
        step(scrub)
    held.hold(b"mine" * SLICE, "mine", origin="")
    cycle(held, scrub)
    assert held.recorder.lost == []
    assert held.verify(strict=True).findings == ()


def test_the_pace(held: Holdings) -> None:
    """A slice, then a pause that makes it so many bytes per second."""
    held.hold(bytes(2 * SLICE))
    scrub = Scrub(held.parts, 1e6, PERIOD)
    step(scrub)
    assert step(scrub) == SLICE / 1e6


def test_a_large_store_is_read_faster(held: Holdings) -> None:
    """The period is kept, whatever the rate says."""
    held.hold(bytes(4 * SLICE))
    scrub, began = Scrub(held.parts, 1.0, PERIOD), held.clock.seconds()
    while not held.recorder.checked:
        held.clock.advance(step(scrub))
    assert PERIOD * 0.7 < held.clock.seconds() - began < PERIOD * 1.01


def test_the_next_cycle_waits(held: Holdings) -> None:
    """One cycle in a period."""
    held.hold(b"x")
    scrub = Scrub(held.parts, 1e6, PERIOD)
    cycle(held, scrub)
    assert held.recorder.checked == [1]
    held.clock.advance(step(scrub))
    cycle(held, scrub)
    assert held.recorder.checked == [1, 1]


def test_a_restart_goes_on(held: Holdings) -> None:
    """What was read before it is not read again."""
    for number in range(10):
        held.hold(bytes([number]) * 100)
    first = Scrub(held.parts, 1e6, PERIOD)
    while len(held.recorder.checked) < 5:
        step(first)
    first.close()
    cycle(held, Scrub(held.parts, 1e6, PERIOD))
    assert len(held.recorder.checked) == 10


def test_a_disk_that_fails(held: Holdings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read is damage."""
    held.hold(b"x" * 100)

    def broken(*_: object) -> None:
        raise OSError(5, "broken")

    scrub = Scrub(held.parts, 1e6, PERIOD)
    step(scrub)
    monkeypatch.setattr("regproxy.stream.rehash.os.pread", broken)
    step(scrub)
    assert held.recorder.lost == ["damaged"]


def test_used_up_descriptors_are_no_damage(held: Holdings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step fails, and is tried again."""
    held.hold(b"good" * 5000)

    def used_up(*_: object) -> None:
        raise OSError(errno.EMFILE, "used up")

    scrub = Scrub(held.parts, 1e6, PERIOD)
    with monkeypatch.context() as patch:
        patch.setattr(type(held.store), "open", used_up)
        got: list[Failure] = []
        Deferred.fromCoroutine(scrub.step()).addErrback(got.append)
        got[0].trap(OSError)
    cycle(held, scrub)
    assert [] == held.recorder.lost
