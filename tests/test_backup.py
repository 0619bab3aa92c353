"""What is on the disk before a backup says that it is whole."""

import os
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from regproxy import backup
from regproxy.backup import Backup
from regproxy.index.migrate import connect, prepare
from regproxy.store.disk import DiskStore
from tests.conformance.store import stored
from tests.fakes.remote import InlinePool


def test_everything_is_there_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes, also of a blob that was cached a moment ago, and the names of all; then ``backup.json``."""
    index, store, target = tmp_path / "index.sqlite", DiskStore(tmp_path / "store"), tmp_path / "copies" / "today"
    name = stored(store, b"cached", durable=False)
    prepare(index, 0.0)
    connection = connect(index)
    connection.execute("INSERT INTO blobs (sha256, size, synced, last_used) VALUES (?, 6, 0, 0)", (name,))
    connection.close()
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(tmp_path)))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    ended: list[Any] = []
    Deferred.fromCoroutine(Backup(index, store, InlinePool(), target, everything=True).run()).addBoth(ended.append)
    assert [(1, 6)] == [(summary.blobs, summary.bytes) for summary in ended]
    folder = f"copies/today/{backup.BLOBS}/{name[:2]}"
    *before, manifest, last = synced
    assert {f"{folder}/{name}", folder, f"copies/today/{backup.BLOBS}", "copies"} == set(before)
    assert (manifest, last) == (f"copies/today/{backup.MANIFEST}", "copies/today")
