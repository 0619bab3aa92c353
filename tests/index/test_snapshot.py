"""A copy of an index that is in use."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest
from attrs import define

from regproxy.index import snapshot
from regproxy.index.migrate import connect, prepare


@define
class Disturbed:
    """A backup beside which somebody writes, whenever it stops on its way."""

    _backup: Any
    _write: Callable[[], object]
    _steps: int = 0

    @property
    def done(self) -> bool:
        """As it says."""
        return bool(self._backup.done)

    def step(self, pages: int = -1) -> None:
        """Some of it."""
        self._steps += 1
        assert self._steps < 20, "it begins anew every time"
        self._backup.step(pages)
        self._write()


def test_a_copy_ends_whoever_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has everything of one moment, however large it is."""
    path = tmp_path / "index.sqlite"
    prepare(path, 0.0)
    with closing(connect(path)) as writer:
        writer.executemany("INSERT INTO words VALUES (?, ?)", ((f"{number}", "x" * 4000) for number in range(1000)))

        class Copying(apsw.Connection):
            @contextmanager
            def backup(self, *names: Any) -> Iterator[Any]:  # type: ignore[override] # as much of it as is used
                with super().backup(*names) as real:
                    yield Disturbed(real, lambda: writer.execute("INSERT OR REPLACE INTO words VALUES ('later', '')"))

        with monkeypatch.context() as patch:
            patch.setattr(apsw, "Connection", Copying)
            snapshot.take(path, tmp_path / "copy")
    with closing(apsw.Connection(str(tmp_path / "copy"))) as copy:
        assert copy.execute("SELECT count(*), max(name = 'later') FROM words").fetchall() == [(1000, 0)]
