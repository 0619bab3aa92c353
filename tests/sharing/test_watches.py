"""What is told of files, and what when there was too much to tell."""

import os
from pathlib import Path

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from regproxy.sharing.watches import Watches

QUEUE = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())


@pytest_twisted.ensureDeferred
async def test_what_was_lost_is_looked_for(tmp_path: Path) -> None:
    """More was written than the kernel keeps events for: everybody is told, but who does not listen any more."""
    files = [os.open(tmp_path / name, os.O_RDWR | os.O_CREAT) for name in ("a", "b", "quiet", "left")]
    told: dict[int, Deferred[bool]] = {each: Deferred() for each in files}

    def tell(each: int, closed: bool) -> None:  # noqa: FBT001 - a callback's argument
        if closed and not told[each].called:
            told[each].callback(closed)

    watches = Watches(reactor)  # type: ignore[arg-type] # a module to mypy
    watching = [watches.watch(each, lambda closed, each=each: tell(each, closed)) for each in files]  # type: ignore[misc] # a default
    watching.pop().stop()
    for _ in range(QUEUE // 2 + 1):  # by turns: the kernel merges events that are the same as the last one
        for each in files[:2]:
            os.write(each, b"x")
    for each in files[:3]:
        await told[each]
    assert not told[files[3]].called
    for watch in watching:
        watch.stop()
    for each in files:
        os.close(each)
