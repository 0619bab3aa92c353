"""Indexes that are closed when a test has ended."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from regproxy.index.sqlite import SqliteIndex
from tests.index.threads import ThreadedClock

Begin = Callable[[], tuple[SqliteIndex, ThreadedClock]]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Start indexes on one and the same file."""
    begun: list[tuple[SqliteIndex, ThreadedClock]] = []

    def begin_one() -> tuple[SqliteIndex, ThreadedClock]:
        clock = ThreadedClock()
        index = SqliteIndex(tmp_path / "state" / "index.sqlite", clock)
        index.start()
        begun.append((index, clock))
        return index, clock

    yield begin_one
    for index, clock in begun:
        clock.wait(index.close())
