"""What no commit has taken goes with time, and nothing else does."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

from regproxy.formats.huggingface import FORMAT
from regproxy.formats.huggingface.local.leftovers import DAY, is_lasting
from regproxy.index.sqlite import SqliteIndex
from regproxy.index.sqlite_holdings import SqliteHoldings
from regproxy.repo.interface_tidy import Tidying
from regproxy.repo.tree import Tree
from tests.conformance.holdings import deposit_of
from tests.fakes.remote import InlinePool
from tests.index.threads import ThreadedClock

REPO = "models/acme/tiny"
OBJECT, OTHER = (f"{REPO}/_lfs/{digit * 64}" for digit in "12")
KEPT = [
    f"{REPO}/_refs.json",
    f"{REPO}/{'a' * 40}/_lfs/{'3' * 64}",
    f"{REPO}/{'a' * 40}/_xet/1/x",
    f"datasets/_/one/_trees/{'a' * 40}.json",
]


class Scene:
    """A local repository."""

    def __init__(self, folder: Path) -> None:
        self.clock = ThreadedClock()
        self.index = SqliteIndex(folder / "index.sqlite", self.clock)
        self.index.start()
        self.holdings = SqliteHoldings(self.index)
        self.tree = Tree("r", self.index, self.holdings, InlinePool())

    def put(self, path: str, day: float) -> None:
        """Send something on a day."""
        self.clock.wait(self.holdings.deposit(deposit_of(path, 1, day * DAY)))

    def tidied(self, day: float) -> list[str]:
        """What is left on a day."""
        assert isinstance(FORMAT, Tidying)
        self.clock.wait(Deferred.fromCoroutine(FORMAT.tidy(self.tree, day * DAY)))
        return [node.path for node in self.index.nodes("r")]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """One."""
    scene = Scene(tmp_path)
    yield scene
    scene.clock.wait(scene.index.close())


def test_objects(scene: Scene) -> None:
    """Seven days after they were sent, or sent again; what a commit refers to lies elsewhere, whatever it is called."""
    for path in (*KEPT, OBJECT, OTHER):
        scene.put(path, 10)
    assert sorted([*KEPT, OBJECT, OTHER]) == scene.tidied(16.9)
    scene.put(OTHER, 16.9)
    assert sorted([*KEPT, OTHER]) == scene.tidied(17)
    assert sorted([*KEPT, OTHER]) == scene.tidied(23.8)
    assert sorted(KEPT) == scene.tidied(23.9)


def test_xorbs(scene: Scene) -> None:
    """Those of the day before yesterday stay; those of earlier days go, whenever they came."""
    days = [f"{REPO}/_xet/{day}/{'b' * 64}" for day in (101, 102, 103, 104)]
    for path in days:
        scene.put(path, 104)
    assert days == scene.tidied(103)
    assert days[1:] == scene.tidied(104)
    assert days[3:] == scene.tidied(106)


def test_what_lasts(scene: Scene) -> None:
    """An object of which a day is left is not counted on; a file always is, and so is what somebody has copied to the top."""
    for path in (OBJECT, KEPT[1], "copy"):
        scene.put(path, 10)
    sent, *files = (scene.tree.node(path) for path in (OBJECT, KEPT[1], "copy"))
    assert sent is not None
    assert [True, False] == [is_lasting(sent, day * DAY) for day in (15.9, 16)]
    assert [True, True] == [file is not None and is_lasting(file, 1000 * DAY) for file in files]
