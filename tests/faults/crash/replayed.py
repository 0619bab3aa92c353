"""The small program whose calls are replayed: one durable commit, and the word that it is done."""

from typing import Any

from regproxy.store.disk import DiskStore
from tests.conformance.store import name_of
from tests.faults.crash.serving import Run
from tests.faults.crash.uploads import PUSHED


async def durable(reactor: Any, run: Run) -> str:
    """Store one blob so that it survives a power loss from the moment on at which this returns."""
    writer = DiskStore(run.data_dir / "store").create(len(PUSHED))
    half = len(PUSHED) // 2
    writer.write_at(0, [PUSHED[:half]])
    writer.write_at(half, [PUSHED[half:]])
    writer.commit(name_of(PUSHED), durable=True)
    return name_of(PUSHED)
