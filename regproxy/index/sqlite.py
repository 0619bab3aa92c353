"""An index in one SQLite file on this machine, for one process, or for several that have a ``Generation`` each.

Reads by primary key run where they are called, in the reactor's thread, in microseconds: in WAL mode they wait for no writer.
Reads that scan (``nodes``, ``unsynced``, ``unreferenced``, ``each_blob``) open a connection of their own and may be called from
any thread. Writes go through ``writer``; waiting for other processes and checkpoints happen in its thread. Of several
processes one is the owner: it starts first, brings the schema up to date, and notes whether the run ended cleanly.
"""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import apsw
from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from txaio.tx import make_logger

from regproxy.errors import Kind, RegproxyError
from regproxy.index import queries, statements
from regproxy.index.damage import DAMAGED, open_for_run
from regproxy.index.generation import Generation
from regproxy.index.hot import HotNodes
from regproxy.index.interface import BlobRow, Sum, Use
from regproxy.index.migrate import complaints, connect
from regproxy.index.rows import behind_prefix, read_blob, read_negative, read_node
from regproxy.index.usage import Tally, Usage
from regproxy.index.writer import Writer
from regproxy.model.digest import Digest
from regproxy.model.node import Negative, Node

log = make_logger()

T = TypeVar("T")

FLUSH_SECONDS = 2.0
READER_BUSY_MILLIS = 100  # the reactor waits only while another process repairs what a kill has left of the WAL's index
EXPIRED_SECONDS = 3600.0


class Reactor(Protocol):
    """What is needed of Twisted's reactor."""

    def seconds(self) -> float:
        """Seconds since the epoch."""

    def callLater(self, delay: float, function: Callable[..., object], /) -> IDelayedCall:  # noqa: N802 - Twisted's name
        """Call a function later."""

    def callFromThread(self, function: Callable[..., object], /, *args: Any) -> object:  # noqa: N802 - Twisted's name
        """Call a function in the reactor's thread."""


def _nothing() -> None:
    pass


@define(eq=False)
class SqliteIndex:
    """An ``Index`` in the file ``path``, whose folder is made if it is not there.

    All but the scans belong to the reactor's thread.
    """

    _path: Path
    _reactor: Reactor
    _generation: Generation | None = None
    _is_owner: bool = True
    _was_clean: bool = field(init=False, default=False)
    _is_new: bool = field(init=False, default=False)
    _hot: HotNodes = field(init=False)
    _distrusts: dict[tuple[str, str], float] | None = field(init=False, default=None)
    _distrusts_seen: tuple[bytes, bytes] | None = field(init=False, default=None)
    _usage: Usage = field(init=False, factory=Usage)
    _reader: apsw.Connection = field(init=False)
    _writer: Writer | None = field(init=False, default=None)
    _flushing: IDelayedCall | None = field(init=False, default=None)
    _purged: float = field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        self._hot = HotNodes(self._generation)

    def start(self) -> None:
        """Open the file; the owner upgrades it and notes durably that a run has begun. Blocks."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._is_owner:
            opened = open_for_run(self._path, self._reactor.seconds())
            connection, self._was_clean, self._is_new = opened.connection, opened.was_clean, opened.is_new
        else:
            connection = connect(self._path)
        try:
            self._reader = connect(self._path, READER_BUSY_MILLIS)
        except BaseException:
            connection.close()
            raise
        self._reader.execute("PRAGMA query_only = ON")
        changed = _nothing if self._generation is None else self._generation.changed
        self._writer = Writer(connection, self._reactor.callFromThread, changed, marks_end=self._is_owner)
        self._writer.start()

    def close(self) -> Deferred[None]:
        """Write what was counted and queued, then close; afterwards writes fail and reads raise."""
        writer, self._writer = self._writer, None
        if writer is None:
            return succeed(None)
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        tallies = self._usage.take()
        writer.write(partial(statements.count, tallies=tallies)).addErrback(_unheard)

        def ended(outcome: T) -> T:
            self._reader.close()
            return outcome

        return writer.stop().addBoth(ended)

    @property
    def was_clean(self) -> bool:
        """Whether the previous run closed it; true of a new file. Only the owner knows."""
        return self._was_clean

    @property
    def is_new(self) -> bool:
        """Whether this run has made the file: there was none, or none that could be used."""
        return self._is_new

    def node(self, repository: str, path: str) -> Node | None:
        """One node."""
        key = (repository, path)
        node = self._hot.get(key)
        if node is None:
            for row in self._read(queries.NODE, key):
                node = read_node(row)
                self._hot.add(key, node)
        return node

    def nodes(self, repository: str, prefix: str = "", after: str = "", limit: int = 1000) -> Sequence[Node]:
        """A page of nodes."""
        since = prefix if prefix > after else f"{after}\0"  # no text lies between after and after + NUL
        until = behind_prefix(prefix)
        if until is None:
            rows = self._scan(queries.NODES, (repository, since, limit))
        else:
            rows = self._scan(queries.NODES_UNTIL, (repository, since, until, limit))
        return [read_node(row) for row in rows]

    def blob(self, sha256: str) -> BlobRow | None:
        """One blob."""
        rows = self._read(queries.BLOB, (sha256,))
        return read_blob(rows[0]) if rows else None

    def blob_of(self, digest: Digest) -> str | None:
        """The blob's name; for a sha256, whether there is such a blob."""
        if digest.algorithm == "sha256":
            return digest.hex if self.blob(digest.hex) else None
        rows = self._read(queries.ALIAS, (digest.algorithm, digest.hex))
        return str(rows[0][0]) if rows else None

    def negative(self, repository: str, path: str) -> Negative | None:
        """A negative answer; those that expired more than an hour ago may have gone."""
        rows = self._read(queries.NEGATIVE, (repository, path))
        return read_negative(rows[0]) if rows else None

    def distrusted(self, repository: str, path: str) -> float:
        """Until when a path is not trusted. Asked for every hit, so all that there are, none as a rule, are remembered."""
        if self._generation is not None:
            others = self._generation.others()
            if others != self._distrusts_seen:
                self._distrusts, self._distrusts_seen = None, others
        if self._distrusts is None:
            rows: list[Any] = self._reader.execute(queries.DISTRUSTED).fetchall()
            self._distrusts = {(owner, name): until for owner, name, until in rows}
        return self._distrusts.get((repository, path), 0.0)

    def word(self, name: str) -> str | None:
        """A remembered word."""
        rows = self._read(queries.WORD, (name,))
        return str(rows[0][0]) if rows else None

    def unsynced(self) -> Sequence[str]:
        """Blobs that are not known to be durable."""
        return [row[0] for row in self._scan(queries.UNSYNCED, ())]

    def unreferenced(self, limit: int = 1000) -> Sequence[BlobRow]:
        """Blobs that no node names, least recently used first."""
        return [read_blob(row) for row in self._scan(queries.UNREFERENCED, (limit,))]

    def nodes_of(self, sha256: str) -> Sequence[Node]:
        """Every node that names a blob."""
        return [read_node(row) for row in self._scan(queries.NODES_OF, (sha256,))]

    def complaints(self) -> Sequence[str]:
        """Let SQLite read every page and compare every reference."""
        with closing(connect(self._path)) as connection:
            return complaints(connection)

    def adopt(self, blobs: Sequence[BlobRow]) -> Deferred[int]:
        """Add rows for blobs that nothing names."""
        return self._change(partial(statements.adopt, blobs=blobs))

    def held(self, repository: str = "") -> Sum:
        """One row, which triggers keep."""
        rows = self._reader.execute(queries.SUM, (repository,)).fetchall()
        return Sum(*rows[0]) if rows else Sum()  # type: ignore[arg-type] # INTEGER columns

    def least_used(self, kept: Collection[str], limit: int = 100) -> Sequence[BlobRow]:
        """Blobs that may be evicted."""
        return [read_blob(row) for row in self._scan(queries.LEAST_USED, (json.dumps(sorted(kept)), limit))]

    def least_used_in(self, repository: str, before: float, limit: int = 100) -> Sequence[Use]:
        """Nodes that may be evicted."""
        return [Use(*row) for row in self._scan(queries.LEAST_USED_IN, (repository, before, limit))]

    def pins(self, repository: str, prefix: str = "") -> Sequence[str]:
        """Paths that are pinned."""
        return [str(row[0]) for row in self._scan(queries.PINS, (repository, prefix))]

    def each_blob(self, after: str = "") -> Iterator[BlobRow]:
        """Every blob's row, read in pages: no transaction stays open between steps."""
        last = after
        while rows := self._scan(queries.BLOBS, (last,)):
            yield from map(read_blob, rows)
            last = str(rows[-1][0])

    def look(self, sql: str, bindings: tuple[Any, ...]) -> list[Any]:
        """Read by primary key, in the reactor's thread."""
        return self._reader.execute(sql, bindings).fetchall()

    def others(self) -> object:
        """What other processes have changed so far: equal as long as none of them has."""
        return None if self._generation is None else self._generation.others()

    @contextmanager
    def scanning(self) -> Iterator[Callable[[str, tuple[Any, ...]], list[Any]]]:
        """Several reads that may take a while, by one connection of their own. Blocks."""
        with self.connected() as connection:
            yield lambda sql, bindings: connection.execute(sql, bindings).fetchall()

    @contextmanager
    def connected(self) -> Iterator[apsw.Connection]:
        """A connection of its own, to read by in one thread. Blocks."""
        with closing(connect(self._path)) as connection:
            connection.execute("PRAGMA query_only = ON")
            yield connection

    def _read(self, sql: str, bindings: tuple[str | int, ...]) -> list[Any]:
        try:
            return self._reader.execute(sql, bindings).fetchall()
        except apsw.Error as error:
            if isinstance(error, DAMAGED) and self._writer is not None:
                log.critical("the index is damaged: {error}. The next start puts it aside", error=error)
                self._writer.marks_end = False
            raise RegproxyError(Kind.STORAGE, "the index cannot be read", detail=repr(error)) from error

    def _scan(self, sql: str, bindings: tuple[str | float, ...]) -> list[Any]:
        with self.scanning() as ask:
            return ask(sql, bindings)

    def put(self, node: Node, *, synced: bool, digests: Sequence[Digest] = ()) -> Deferred[None]:
        """Add or replace a node."""
        return self._change(partial(statements.put, node=node, synced=synced, digests=digests), (node.repository, node.path))

    def refresh(self, node: Node) -> Deferred[None]:
        """Replace what is known about a node."""
        return self._change(partial(statements.refresh, node=node), (node.repository, node.path))

    def used(self, repository: str, path: str, sha256: str, when: float) -> None:
        """Note that a blob was opened."""
        self._usage.add(repository, path, sha256, when)
        self._flush_soon()

    def downloaded(self, repository: str, path: str, when: float, by: str) -> None:
        """Count one download."""
        self._usage.download(repository, path, when, by)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if self._flushing is None and self._writer is not None:
            self._flushing = self._reactor.callLater(FLUSH_SECONDS, self._flush)

    def remove(self, repository: str, path: str) -> Deferred[bool]:
        """Remove a node."""
        return self._change(partial(statements.remove, repository=repository, path=path), (repository, path))

    def deny(self, negative: Negative) -> Deferred[None]:
        """Remember a negative answer; once an hour, those long expired are dropped."""
        now = self._reactor.seconds()
        if now - self._purged >= EXPIRED_SECONDS:
            self._purged = now
            self._change(partial(statements.drop_expired, before=now - EXPIRED_SECONDS)).addErrback(_unheard)
        return self._change(partial(statements.deny, negative=negative))

    def distrust(self, repository: str, path: str, now: float, until: float) -> Deferred[None]:
        """Remember that wrong bytes came."""

        def forget() -> None:
            self._distrusts = None

        if self._writer is None:
            return fail(RegproxyError(Kind.STORAGE, "the index is closed"))
        apply = partial(statements.distrust, repository=repository, path=path, now=now, until=until)
        return self._writer.write(apply, forget)

    def synced(self, sha256: str) -> Deferred[None]:
        """Note that a blob is durable."""
        return self._change(partial(statements.mark_synced, sha256=sha256))

    def forget(self, sha256: str) -> Deferred[bool]:
        """Remove a blob's row and aliases; True also if there was no row."""
        return self._change(partial(statements.forget, sha256=sha256))

    def evict(self, seen: BlobRow, kept: Collection[str]) -> Deferred[bool]:
        """Remove a blob's row with all its nodes."""
        gone: list[tuple[str, str]] = []

        def apply(connection: apsw.Connection) -> bool:
            nodes = statements.evict(connection, seen, kept)
            gone.extend(nodes or ())
            return nodes is not None

        def drop() -> None:
            for key in gone:
                self._hot.drop(key)

        return self._write(apply, drop)

    def release(self, seen: Use) -> Deferred[bool]:
        """Remove a node."""
        return self._change(partial(statements.release, seen=seen), (seen.repository, seen.path))

    def pin(self, repository: str, path: str, *, pinned: bool) -> Deferred[int]:
        """Keep from being evicted, or not."""
        return self._change(partial(statements.pin, repository=repository, path=path, pinned=pinned))

    def remember(self, name: str, word: str) -> Deferred[None]:
        """Keep a word."""
        return self._change(partial(statements.remember, name=name, word=word))

    def change(
        self, apply: Callable[[apsw.Connection], T], forget: Callable[[HotNodes], None] | None = None, *, durable: bool = True
    ) -> Deferred[T]:
        """Write something that has to survive a power loss; ``forget`` drops the nodes that it changes."""
        if self._writer is None:
            return fail(RegproxyError(Kind.STORAGE, "the index is closed"))
        return self._writer.write(apply, None if forget is None else partial(forget, self._hot), durable=durable)

    def _change(self, apply: Callable[[apsw.Connection], T], key: tuple[str, str] | None = None) -> Deferred[T]:
        return self._write(apply, None if key is None else partial(self._hot.drop, key))

    def _write(self, apply: Callable[[apsw.Connection], T], settled: Callable[[], None] | None) -> Deferred[T]:
        if self._writer is None:
            return fail(RegproxyError(Kind.STORAGE, "the index is closed"))
        return self._writer.write(apply, settled)

    def _flush(self) -> None:
        self._flushing = None
        tallies = self._usage.take()
        self._change(partial(statements.count, tallies=tallies)).addCallbacks(self._missed, _unheard)

    def _missed(self, tallies: list[Tally]) -> None:
        if tallies and self._usage.give_back(tallies):
            self._flush_soon()


def _unheard(failure: Failure) -> None:
    """Log what nobody waits for and what harms nobody: a download that is not counted, a row too many."""
    error = failure.value
    if isinstance(error, RegproxyError):
        log.error("the index could not be tidied: {error!r} {detail}", error=error, detail=error.detail)
    else:
        log.failure("the index could not be tidied: {log_failure.value!r}", failure=failure)
