"""An index that was lost gets to know the store's blobs again."""

from pathlib import Path

from twisted.internet.defer import Deferred

from regproxy.upkeep.adoption import PAGE, adopt
from tests.conformance.store import stored
from tests.upkeep.scene import Holdings


def test_every_blob_gets_a_row(tmp_path: Path) -> None:
    """With its size, not durable for certain, named by nothing; what had a row keeps it."""
    held = Holdings(tmp_path)
    known = held.hold(b"known")
    names = {stored(held.store, f"{number}".encode()) for number in range(PAGE + 10)}
    got: list[int] = []
    Deferred.fromCoroutine(adopt(held.parts)).addCallback(got.append)
    assert [len(names)] == got
    Deferred.fromCoroutine(adopt(held.parts)).addCallback(got.append)
    assert [len(names), 0] == got
    assert names == {row.sha256 for row in held.index.unreferenced(PAGE * 2)}
    assert names == set(held.index.unsynced())
    row = held.index.blob(known)
    assert row is not None
    assert row.synced
    assert held.verify(strict=True).findings == ()
