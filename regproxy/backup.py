"""Backups of a data directory, and the way back: a folder with ``index.sqlite``, ``blobs/ab/<hex>`` and, last, ``backup.json``.

The index comes first, then each blob that it names, claimed while it is copied; what has gone meanwhile leaves the copy of the
index too. So a backup is whole at every moment at which it has its ``backup.json``. A restore hashes every blob.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import msgspec
from attrs import define, field

from regproxy import __version__
from regproxy.index import snapshot
from regproxy.index.snapshot import Snapshot
from regproxy.store.disk import DiskStore
from regproxy.store.layout import sync_folder
from regproxy.stream.pool import WriterPool
from regproxy.upkeep.report import Progress

INDEX, BLOBS, MANIFEST = "index.sqlite", "blobs", "backup.json"
PAGE = 64
READ = 1 << 20


class BackupError(Exception):
    """It cannot be done; the text says why."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a backup; also what its ``backup.json`` says."""

    version: int = 1
    program: str = __version__
    blobs: int
    bytes: int
    everything: bool


@define(eq=False)
class Backup:
    """One backup of a store and its index, running or stopped.

    Attributes:
        everything: what remotes cached too; else what came from no upstream.
    """

    _index: Path
    _store: DiskStore
    _threads: WriterPool
    _target: Path
    everything: bool
    progress: Progress = field(init=False, default=Progress(blobs=0, bytes=0, total_bytes=0))

    async def run(self) -> Summary:
        """Make it. ``BackupError`` if the target is in use; nothing of a failed one is left."""
        await self._threads.run(self._prepare)
        try:
            copy = await self._threads.run(self._snapshot)
            try:
                blobs = copy.blobs()
                while page := await self._threads.run(lambda: list(islice(blobs, PAGE))):
                    await self._threads.run(lambda page=page: self._save(copy, page))  # type: ignore[misc] # mypy and defaults
                return await self._threads.run(lambda: self._finish(copy))
            finally:
                await self._threads.run(copy.close)
        except BaseException:
            await self._threads.run(lambda: shutil.rmtree(self._target, ignore_errors=True))
            raise

    def _prepare(self) -> None:
        if not self._target.is_absolute():
            raise BackupError(f"{self._target}: expected an absolute path")
        try:
            self._target.mkdir(mode=0o700, parents=True)
            (self._target / BLOBS).mkdir(mode=0o700)
        except FileExistsError:
            raise BackupError(f"{self._target}: expected a path that is not there yet") from None

    def _snapshot(self) -> Snapshot:
        snapshot.take(self._index, self._target / INDEX)
        copy = Snapshot.open(self._target / INDEX)
        if not self.everything:
            copy.keep_local()
        total = sum(size for _, size in copy.blobs())
        self.progress = Progress(blobs=0, bytes=0, total_bytes=total)
        return copy

    def _save(self, copy: Snapshot, page: list[tuple[str, int]]) -> None:
        for sha256, size in page:
            if not self._save_one(sha256):
                copy.lose(sha256)
                continue
            done = self.progress
            self.progress = msgspec.structs.replace(done, blobs=done.blobs + 1, bytes=done.bytes + size)

    def _save_one(self, sha256: str) -> bool:
        claim = self._store.claim(sha256)
        if claim is None:
            return False
        try:
            folder = self._target / BLOBS / sha256[:2]
            folder.mkdir(mode=0o700, exist_ok=True)
            _link_or_copy(self._store.path(sha256), folder / sha256)
        finally:
            claim.release()
        return True

    def _finish(self, copy: Snapshot) -> Summary:
        copy.finish()
        blobs = self._target / BLOBS
        for folder in (*blobs.iterdir(), blobs, self._target.parent):
            sync_folder(str(folder))
        summary = Summary(blobs=self.progress.blobs, bytes=self.progress.bytes, everything=self.everything)
        _write_durably(self._target / MANIFEST, msgspec.json.encode(summary))
        return summary


def restore(source: Path, data_dir: Path, *, replace: bool = False) -> Summary:
    """Bring a backup into a data directory whose lock the caller holds. Blocks. ``BackupError`` leaves the index as it was."""
    try:
        summary = msgspec.json.decode((source / MANIFEST).read_bytes(), type=Summary)
    except (OSError, msgspec.DecodeError) as error:
        raise BackupError(f"{source}: expected a complete backup ({MANIFEST}: {error})") from error
    target = data_dir / INDEX
    if target.exists() and not replace:
        raise BackupError(f"{data_dir}: expected an empty directory; --replace puts the index that is there aside")
    fresh = data_dir / f"{INDEX}.restoring"
    shutil.copyfile(source / INDEX, fresh)
    with closing(Snapshot.open(fresh)) as copy:
        complaints = copy.complaints()
        if complaints:
            raise BackupError(f"{source / INDEX}: {complaints[0]}")
        store = DiskStore(data_dir / "store")
        for sha256, size in copy.blobs():
            _bring(source / BLOBS / sha256[:2] / sha256, store, sha256, size)
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    for companion in ("", "-wal", "-shm"):
        old = Path(f"{target}{companion}")
        if old.exists():
            old.replace(f"{target}.before-restore{companion}")
    fresh.replace(target)
    sync_folder(str(data_dir))
    return summary


def _bring(path: Path, store: DiskStore, sha256: str, size: int) -> None:
    """Copy one blob durably, if it is the right one."""
    running = hashlib.sha256()
    try:
        with path.open("rb") as file:
            writer = store.create(size)
            try:
                offset = 0
                for data in _pieces(file.fileno()):
                    writer.write_at(offset, [data])
                    running.update(data)
                    offset += len(data)
                if running.hexdigest() != sha256:
                    raise BackupError(f"{path}: it does not hash to its name")
                writer.commit(sha256, durable=True)
            except BaseException:
                writer.abort()
                raise
    except OSError as error:
        raise BackupError(f"{path}: {error}") from error


def _pieces(descriptor: int) -> Iterator[bytes]:
    offset = 0
    while data := os.pread(descriptor, READ, offset):
        yield data
        offset += len(data)


def _link_or_copy(source: str, target: Path) -> None:
    """A second name on the same file system, where it costs nothing; bytes of its own elsewhere. Then it is durable."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(str(path.parent))
