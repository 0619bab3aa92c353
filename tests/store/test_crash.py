"""A store that is killed at any moment holds whole blobs only, and all that it said it had."""

from pathlib import Path

from regproxy.store.disk import DiskStore
from tests.conformance.store import name_of, read
from tests.fakes.killing import killed

KILLS = 10


def test_kill_while_storing(tmp_path: Path) -> None:
    """After each kill every blob hashes to its name, none that was announced is missing, and the spool gets empty."""
    announced: set[str] = set()
    for attempt in range(KILLS):
        announced.update(killed("tests.store.crashing", str(tmp_path), str(attempt), after=1 + 7 * attempt))
        store = DiskStore(tmp_path)
        store.recover()
        assert list((tmp_path / "spool").iterdir()) == []
        names = {blob.sha256 for blob in store.each()}
        assert set() == announced - names
        for name in names:
            assert name == name_of(read(store, name) or b"")
            store.delete(name)
        announced.clear()
