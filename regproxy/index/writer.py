"""The one thread that writes to the index: changes are applied in order, and what has queued up becomes one transaction.

Rules: a change is a function of the connection, under a savepoint of its own, so one that raises takes nobody along. Deferreds
fire in the reactor's thread after the commit, with ``RegproxyError`` (STORAGE) where SQLite refused. A batch with a durable
change in it is on the disk by then; the others are, sooner or later, in their order.
"""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

import apsw
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from regproxy.errors import Kind, RegproxyError
from regproxy.index.statements import mark_run

LARGEST_BATCH = 1000

T = TypeVar("T")


@define(eq=False)
class Change:
    """Something to be written, and what came of it: a value or a ``Failure``.

    ``settled`` runs in the reactor's thread before anybody hears of the outcome; None if no node is changed.
    """

    apply: Callable[[apsw.Connection], Any]
    settled: Callable[[], None] | None
    durable: bool = False
    deferred: Deferred[Any] = field(factory=Deferred)
    outcome: Any = None


@define(eq=False)
class Writer:
    """Owns the connection that writes, from ``start`` to the end of ``stop``.

    ``changed`` tells other processes: it is called in the thread when nodes were changed, before anybody here hears of it.
    """

    _connection: apsw.Connection
    _call_in_reactor: Callable[..., object]
    _changed: Callable[[], None]
    marks_end: bool = field(kw_only=True)
    _queue: SimpleQueue[Change | None] = field(init=False, factory=SimpleQueue)
    _thread: Thread = field(init=False)
    _ended: Deferred[None] = field(init=False, factory=Deferred)
    _stopping: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self._thread = Thread(target=self._run, name="regproxy-index", daemon=True)  # a crash must not wait for it

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def write(
        self, apply: Callable[[apsw.Connection], T], settled: Callable[[], None] | None = None, *, durable: bool = False
    ) -> Deferred[T]:
        """Queue a change; called in the reactor's thread."""
        change = Change(apply, settled, durable)
        if self._stopping:
            change.deferred.errback(RegproxyError(Kind.STORAGE, "the index is closed"))
        else:
            self._queue.put(change)
        return change.deferred

    def stop(self) -> Deferred[None]:
        """Apply what is queued, note that the run ended cleanly if that is ours, close the connection and end the thread."""
        self._stopping = True
        self._queue.put(None)
        return self._ended

    def _run(self) -> None:
        going = True
        while going:
            batch, going = self._next_batch()
            if batch:
                _commit(self._connection, batch)
                if any(change.settled is not None for change in batch):
                    self._changed()
                self._call_in_reactor(_settle, batch)
        outcome = _end(self._connection, marks_end=self.marks_end)
        self._call_in_reactor(self._join, outcome)

    def _next_batch(self) -> tuple[list[Change], bool]:
        """Wait for a change and take along those behind it; False with the last batch."""
        batch: list[Change] = []
        change = self._queue.get()
        while change is not None:
            batch.append(change)
            if len(batch) == LARGEST_BATCH:
                return batch, True
            try:
                change = self._queue.get_nowait()
            except Empty:
                return batch, True
        return batch, False

    def _join(self, outcome: Failure | None) -> None:
        self._thread.join()
        if outcome is None:
            self._ended.callback(None)
        else:
            self._ended.errback(outcome)


def _commit(connection: apsw.Connection, batch: list[Change]) -> None:
    try:
        # It cannot be changed inside of a transaction.
        connection.execute(f"PRAGMA synchronous = {'FULL' if any(change.durable for change in batch) else 'NORMAL'}")
        connection.execute("BEGIN IMMEDIATE")
        for change in batch:
            change.outcome = _attempt(connection, change)
        connection.execute("COMMIT")
    except apsw.Error as error:
        # A full disk or a failing one ends the whole transaction, and may have done so already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        for change in batch:
            change.outcome = _failure(error)


def _attempt(connection: apsw.Connection, change: Change) -> Any:
    connection.execute("SAVEPOINT change")
    try:
        outcome = change.apply(connection)
    except Exception as error:
        if not connection.in_transaction:
            raise
        connection.execute("ROLLBACK TO change")
        outcome = _failure(error)
    connection.execute("RELEASE change")
    return outcome


def _failure(error: Exception) -> Failure:
    if isinstance(error, apsw.Error):
        return Failure(RegproxyError(Kind.STORAGE, "the index cannot be written", detail=repr(error)))
    return Failure(error)


def _end(connection: apsw.Connection, *, marks_end: bool) -> Failure | None:
    try:
        if marks_end:
            mark_run(connection, clean=True)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except apsw.Error as error:
        return _failure(error)
    finally:
        connection.close()
    return None


def _settle(batch: list[Change]) -> None:
    for change in batch:
        if change.settled is not None:
            change.settled()
    for change in batch:
        if isinstance(change.outcome, Failure):
            change.deferred.errback(change.outcome)
        else:
            change.deferred.callback(change.outcome)
