"""Fetches a growing list of things, so many at a time, and says what came of it. What a document leads to is added to it."""

import queue
import threading
from collections.abc import Callable, Iterable

import msgspec
from attrs import define, field, frozen

from regproxy.cli.prefetching.server import Got, Server, UnavailableError
from regproxy.upkeep.report import Progress

JOBS = 4


class Failed(msgspec.Struct, frozen=True):
    """One thing that is not there now."""

    name: str
    reason: str


class Summary(msgspec.Struct, kw_only=True):
    """What came of it all.

    Attributes:
        fetched, held: how many artifacts have arrived, and how many had been there.
        bytes: of those that have arrived.
    """

    fetched: int = 0
    held: int = 0
    bytes: int = 0
    failed: list[Failed] = []


@frozen
class Item:
    """One thing to get.

    Attributes:
        name: what it is called in reports.
        then: reads a document, and says what it leads to; ``ValueError`` for one that makes no sense. None for an artifact.
        size: in bytes, if that is known.
        optional: that there is no such thing is no failure.
        key: what makes it the same as another one; the path, if nothing is said.
    """

    path: str
    name: str
    accept: str = "*/*"
    then: Callable[[Got], Iterable["Item"]] | None = None
    size: int = 0
    optional: bool = False
    key: object = None


@define(eq=False)
class Gathering:
    """Works in threads, from ``run`` to its end."""

    _server: Server
    _show: Callable[[Progress], None]
    _jobs: int = JOBS
    summary: Summary = field(factory=Summary, init=False)
    _queue: "queue.SimpleQueue[Item | None]" = field(factory=queue.SimpleQueue, init=False)
    _seen: set[object] = field(factory=set, init=False)
    _left: int = field(default=0, init=False)
    _total: int = field(default=0, init=False)
    _received: int = field(default=0, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def run(self, items: Iterable[Item]) -> Summary:
        """Get everything."""
        self._add(items)
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self._jobs)]
        if not self._left:
            return self.summary
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)  # so that Ctrl-C is heard
                self._show(Progress(blobs=self.summary.fetched, bytes=self._received, total_bytes=self._total))
        return self.summary

    def _add(self, items: Iterable[Item]) -> None:
        for item in items:
            key = item.key or item.path
            if key in self._seen:
                continue
            self._seen.add(key)
            self._left += 1
            self._total += item.size
            self._queue.put(item)

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            found, failed = self._got(item)
            with self._lock:
                self._add(found)
                if failed is not None:
                    self.summary.failed.append(failed)
                self._left -= 1
                if not self._left:
                    for _ in range(self._jobs):
                        self._queue.put(None)
        self._server.leave()

    def _got(self, item: Item) -> tuple[list[Item], Failed | None]:
        try:
            got = self._server.get(item.path, item.accept, keep=item.then is not None, seen=self._count)
            self._note(item, got)
            return ([] if item.then is None else list(item.then(got))), None
        except UnavailableError as error:
            return [], None if item.optional else Failed(item.name, str(error))
        except (ValueError, KeyError, TypeError) as error:
            return [], Failed(item.name, f"{item.path}: it makes no sense: {error}")
        except Exception as error:  # noqa: BLE001 - a thread that dies would leave the others waiting
            return [], Failed(item.name, repr(error))

    def _note(self, item: Item, got: Got) -> None:
        with self._lock:
            if got.held:
                self._received += item.size
            if item.then is None:
                self.summary.held += got.held
                self.summary.fetched += not got.held
                self.summary.bytes += 0 if got.held else got.size

    def _count(self, count: int) -> None:
        with self._lock:
            self._received += count
