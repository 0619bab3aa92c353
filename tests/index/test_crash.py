"""An index that is killed at any moment opens again and has every row that it said it had."""

from pathlib import Path

from regproxy.index.sqlite import SqliteIndex
from tests.fakes.killing import killed
from tests.index.threads import ThreadedClock

KILLS = 10


def test_kill_while_putting(tmp_path: Path) -> None:
    """After each kill the index opens, knows that it was not closed, and misses nothing that was acknowledged."""
    path = tmp_path / "index.sqlite"
    for attempt in range(KILLS):
        acknowledged = killed("tests.index.crashing", str(path), str(attempt), after=1 + 23 * attempt)
        clock = ThreadedClock()
        index = SqliteIndex(path, clock)
        index.start()
        assert not index.was_clean
        assert [key for key in acknowledged if index.node("npm", key) is None] == []
        clock.wait(index.close())
