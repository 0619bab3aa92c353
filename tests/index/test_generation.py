"""Several processes on one index: what one changes the others do not remember, whatever they had read."""

from pathlib import Path

import pytest

from regproxy.index.generation import SLOTS, Generation
from regproxy.index.hot import HotNodes
from regproxy.index.sqlite import FLUSH_SECONDS
from tests.conformance.index import node_at, sha256
from tests.index.threads import ThreadedClock
from tests.index.writing import OtherProcess, shared_index


def test_own_changes_are_not_others(tmp_path: Path) -> None:
    """A process sees what the others count, and not what it counts itself."""
    first, second = (Generation.open(tmp_path / "generation", slot) for slot in (3, 4))
    before, there = first.others(), second.others()
    first.changed()
    assert before == first.others()
    assert there != second.others()
    second.changed()
    assert before != first.others()
    first.close()
    second.close()


def test_there_are_as_many_slots(tmp_path: Path) -> None:
    """A slot that would count for somebody else is refused."""
    Generation.open(tmp_path / "generation", SLOTS - 1).close()
    for slot in (-1, SLOTS):
        with pytest.raises(ValueError, match="slot"):
            Generation.open(tmp_path / "generation", slot)


def test_a_change_elsewhere_clears_the_memory(tmp_path: Path) -> None:
    """Whatever another process has changed, nothing that was read before is believed."""
    ours, theirs = (Generation.open(tmp_path / "generation", slot) for slot in (0, 1))
    hot = HotNodes(ours)
    assert hot.get(("npm", "p")) is None
    hot.add(("npm", "p"), node_at("p"))
    ours.changed()
    assert node_at("p") == hot.get(("npm", "p"))
    theirs.changed()
    assert hot.get(("npm", "p")) is None


def test_downloads_that_others_count_do_not(tmp_path: Path) -> None:
    """A hit elsewhere does not make this process forget; a put does."""
    clock = ThreadedClock()
    here = shared_index(tmp_path / "index.sqlite", 0, clock, is_owner=True)
    here.start()
    there = OtherProcess.start(tmp_path / "index.sqlite", 1)
    there.ask("put", node_at("p", 1), synced=True)
    node = here.node("npm", "p")
    there.ask("used", "npm", "p", sha256(1), 50.0)
    there.ask("catch_up")
    assert node is here.node("npm", "p")
    there.ask("put", node_at("p", 2), synced=True)
    assert node_at("p", 2) == here.node("npm", "p")
    assert there.end() == 0
    clock.wait(here.close())


def test_both_count_downloads(tmp_path: Path) -> None:
    """Downloads that two processes count add up."""
    clock = ThreadedClock()
    here = shared_index(tmp_path / "index.sqlite", 0, clock, is_owner=True)
    here.start()
    clock.wait(here.put(node_at("p", 1), synced=True))
    there = OtherProcess.start(tmp_path / "index.sqlite", 1)
    for _ in range(3):
        here.downloaded("npm", "p", 50.0, "")
        there.ask("downloaded", "npm", "p", 60.0, "")
    there.ask("catch_up")
    clock.advance(FLUSH_SECONDS)
    clock.wait(here.remember("caught", "up"))
    rows = here._scan("SELECT downloads, last_downloaded FROM nodes", ())
    assert [(6, 60.0)] == rows
    assert there.end() == 0
    clock.wait(here.close())


def test_only_the_owner_says_that_the_run_ended(tmp_path: Path) -> None:
    """A process that comes and goes does not make an unclean stop look clean."""
    clock = ThreadedClock()
    here = shared_index(tmp_path / "index.sqlite", 0, clock, is_owner=True)
    here.start()
    there = OtherProcess.start(tmp_path / "index.sqlite", 1)
    there.ask("remember", "a", "b")
    assert there.end() == 0
    assert [(0,)] == here._scan("SELECT clean FROM run", ())
    clock.wait(here.close())
    again = shared_index(tmp_path / "index.sqlite", 0, clock, is_owner=True)
    again.start()
    assert again.was_clean
    clock.wait(again.close())
