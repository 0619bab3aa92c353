"""Backups of a data directory: a folder with ``index.sqlite``, ``blobs/ab/<hex>`` and, last, ``backup.json``; see ``restore``.

The index comes first, then each blob that it names, claimed while it is copied, and compared with its name. What was removed
meanwhile leaves the copy of the index too. What is damaged or missing is told, and left out; what came from no upstream keeps its
rows all the same, so that its loss is as loud after a restore as it was before. So a backup is as whole as its server was, at
every moment at which it has its ``backup.json``.
"""

import os
import shutil
import time
from contextlib import closing
from itertools import islice
from pathlib import Path

import apsw
import msgspec
from attrs import define, field

from regproxy import __version__
from regproxy.index import snapshot
from regproxy.index.migrate import connect
from regproxy.index.snapshot import Held, Naming, Snapshot
from regproxy.repo.damage import LOOK_SECONDS, LOOKS
from regproxy.store.disk import DiskStore
from regproxy.store.layout import sync_folder
from regproxy.store.reading import OpenBlob
from regproxy.stream.pool import WriterPool
from regproxy.upkeep.report import Finding, Progress, Trouble
from regproxy.verbatim import SpoiltError, examine, pieces

INDEX, BLOBS, MANIFEST = "index.sqlite", "blobs", "backup.json"
VERSION = 1
PAGE = 64


class BackupError(Exception):
    """It cannot be done; the text says why."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a backup; also what its ``backup.json`` says.

    Attributes:
        findings: what is not in it, because it was damaged or missing.
    """

    version: int = VERSION
    program: str = __version__
    blobs: int
    bytes: int
    everything: bool
    findings: tuple[Finding, ...] = ()


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
    _findings: list[Finding] = field(init=False, factory=list)

    async def run(self) -> Summary:
        """Make it. ``BackupError`` if the target is in use, or takes no more; nothing of a failed one is left."""
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
        except BaseException as error:
            await self._threads.run(lambda: shutil.rmtree(self._target, ignore_errors=True))
            if isinstance(error, apsw.Error | OSError):
                raise BackupError(f"{self._target}: {error}") from error
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
        total = sum(blob.size for blob in copy.blobs())
        self.progress = Progress(blobs=0, bytes=0, total_bytes=total)
        return copy

    def _save(self, copy: Snapshot, page: list[Held]) -> None:
        for blob in page:
            try:
                self._save_one(blob)
            except SpoiltError:
                if not self._save_after_all(copy, blob):
                    continue
            done = self.progress
            self.progress = msgspec.structs.replace(done, blobs=done.blobs + 1, bytes=done.bytes + blob.size)

    def _save_after_all(self, copy: Snapshot, blob: Held) -> bool:
        """It could not be saved: another look behind the names that it has now tells what is lost from what was removed, out of
        sight for a moment, or stored anew.
        """
        self._wait_until_decided(blob.sha256)
        namings = self._namings(blob.sha256)
        if not namings:
            copy.lose(blob.sha256)
            return False
        try:
            self._save_one(blob)
        except SpoiltError as error:
            self._leave_out(copy, blob, namings, error)
            return False
        return True

    def _leave_out(self, copy: Snapshot, blob: Held, namings: list[Naming], error: SpoiltError) -> None:
        self._findings.append(finding(blob, namings, error))
        if any(naming.is_local for naming in namings):
            copy.drop_cached(blob.sha256)
        else:
            copy.lose(blob.sha256)

    def _wait_until_decided(self, sha256: str) -> None:
        """As ``repo/damage.is_decided``, in a thread."""
        for _ in range(LOOKS):
            if not self._store.is_aside(sha256):
                return
            time.sleep(LOOK_SECONDS)

    def _namings(self, sha256: str) -> list[Naming]:
        """What of this backup's concern names a blob now."""
        with closing(Snapshot(connect(self._index))) as live:
            return [naming for naming in live.namings(sha256) if naming.is_local or self.everything]

    def _save_one(self, blob: Held) -> None:
        claim = self._store.claim(blob.sha256)
        try:
            with closing(self._opened(blob.sha256)) as reader:
                folder = self._target / BLOBS / blob.sha256[:2]
                folder.mkdir(mode=0o700, exist_ok=True)
                self._copy(blob, reader.fileno(), folder / blob.sha256)
        finally:
            if claim is not None:
                claim.release()

    def _opened(self, sha256: str) -> OpenBlob:
        try:
            reader = self._store.open(sha256)
        except OSError as error:
            raise SpoiltError.of(error) from error
        if reader is None:
            raise SpoiltError(Trouble.MISSING, "no such file")
        return reader

    def _copy(self, blob: Held, descriptor: int, target: Path) -> None:
        """Bytes of its own for what nobody could fetch again; for the rest a second name, where that is possible."""
        try:
            if not blob.is_local and _linked(self._store.path(blob.sha256), target):
                examine(descriptor, blob)
            else:
                _write(descriptor, blob, target)
            with target.open("rb") as file:
                os.fsync(file.fileno())
        except SpoiltError:
            target.unlink()
            raise

    def _finish(self, copy: Snapshot) -> Summary:
        copy.finish()
        blobs = self._target / BLOBS
        for folder in (*blobs.iterdir(), blobs, self._target.parent):
            sync_folder(str(folder))
        done = self.progress
        summary = Summary(blobs=done.blobs, bytes=done.bytes, everything=self.everything, findings=tuple(self._findings))
        _write_durably(self._target / MANIFEST, msgspec.json.encode(summary))
        return summary


def finding(blob: Held, namings: list[Naming], error: SpoiltError) -> Finding:
    """What is told of a blob that is not in a backup."""
    local = any(naming.is_local for naming in namings)
    nodes = tuple(naming.node for naming in namings if naming.is_local == local)  # the others are fetched anew
    return Finding(trouble=error.trouble, name=blob.sha256, detail=error.detail, nodes=nodes, local=local)


def _linked(source: str, target: Path) -> bool:
    try:
        os.link(source, target)
    except OSError:
        return False
    return True


def _write(descriptor: int, blob: Held, target: Path) -> None:
    with target.open("wb") as file:
        for data in pieces(descriptor, blob):
            file.write(data)


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(str(path.parent))
