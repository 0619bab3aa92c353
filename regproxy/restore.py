"""Brings a backup into the data directory of a stopped server: see ``backup``.

The backup is looked at before anything is made. Then every blob is compared with its name while it is brought, and the index
takes its place last. What is damaged is told and left out; what came from no upstream keeps its rows, and the server
tells of its loss.
"""

import os
import shutil
from contextlib import closing, suppress
from pathlib import Path

import apsw
import msgspec
from attrs import define, field

from regproxy.backup import BLOBS, INDEX, MANIFEST, VERSION, BackupError, Summary, finding
from regproxy.index.snapshot import Held, Snapshot, in_one_file
from regproxy.lock import DataDirLock
from regproxy.store.disk import DiskStore
from regproxy.store.layout import sync_folder
from regproxy.upkeep.report import Finding
from regproxy.verbatim import SpoiltError, examine, pieces

COMPANIONS = ("-wal", "-shm", "-journal")


class Restored(Summary, frozen=True, kw_only=True):
    """What has come back, and what has not.

    Attributes:
        aside: where the index is that was there; empty if there was none.
    """

    aside: str = ""


class _Version(msgspec.Struct):
    """What every ``backup.json`` says, whatever else will be in it."""

    version: int


def restore(source: Path, data_dir: Path, *, replace: bool = False) -> Restored:
    """Do it. Blocks. ``BackupError`` leaves everything as it was; ``LockedError`` if somebody works on the directory."""
    summary = _examined(source)
    lock = DataDirLock.acquire(data_dir)
    try:
        if (data_dir / INDEX).exists() and not replace:
            raise BackupError(f"{data_dir}: expected an empty directory; --replace puts the index that is there aside")
        return _Restoring(source, data_dir).run(summary)
    finally:
        lock.release()


def _examined(source: Path) -> Summary:
    """What the backup says of itself, if its index agrees."""
    summary = _manifest(source / MANIFEST)
    try:
        with closing(Snapshot.read(source / INDEX)) as index:
            complaints = index.complaints()
            if complaints:
                raise BackupError(f"{source / INDEX}: {complaints[0]}")
            _compare(source, summary, index)
    except apsw.Error as error:
        raise BackupError(f"{source / INDEX}: {error}") from error
    return summary


def _manifest(path: Path) -> Summary:
    try:
        text = path.read_bytes()
        version = msgspec.json.decode(text, type=_Version).version
        if version != VERSION:
            raise BackupError(f"{path}: expected a backup of version {VERSION}, not of {version}: run the regproxy that made it")
        return msgspec.json.decode(text, type=Summary)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BackupError(f"{path.parent}: expected a complete backup ({MANIFEST}: {error})") from error


def _compare(source: Path, summary: Summary, index: Snapshot) -> None:
    left_out = {each.name for each in summary.findings}
    blobs = size = 0
    for blob in index.blobs():
        if blob.sha256 not in left_out:
            blobs, size = blobs + 1, size + blob.size
    if (blobs, size) != (summary.blobs, summary.bytes):
        said = f"{summary.blobs} blobs of {summary.bytes} bytes"
        raise BackupError(f"{source / MANIFEST}: expected {said}, {INDEX} has {blobs} of {size} bytes: they are of two backups")


@define(eq=False)
class _Restoring:
    """One restore, whose failure takes away again what it has brought."""

    _source: Path
    _data_dir: Path
    _findings: list[Finding] = field(init=False, factory=list)
    _added: list[str] = field(init=False, factory=list)
    _store: DiskStore = field(init=False)

    def run(self, summary: Summary) -> Restored:
        """Bring everything."""
        fresh = self._data_dir / f"{INDEX}.restoring"
        try:
            _clear(fresh)
            self._store = DiskStore(self._data_dir / "store")
            shutil.copyfile(self._source / INDEX, fresh)
            with closing(Snapshot.open(fresh)) as copy:
                brought = [blob.size for blob in copy.blobs() if self._is_brought(copy, blob)]
            with fresh.open("rb") as file:
                os.fsync(file.fileno())
            aside = _put_aside(self._data_dir / INDEX)
            fresh.replace(self._data_dir / INDEX)
        except BaseException as error:
            self._undo(fresh)
            if isinstance(error, OSError | apsw.Error):
                raise BackupError(f"{self._data_dir}: {error}") from error
            raise
        self._settle()
        return Restored(
            program=summary.program,
            blobs=len(brought),
            bytes=sum(brought),
            everything=summary.everything,
            findings=tuple(self._findings),
            aside=aside,
        )

    def _settle(self) -> None:
        try:
            sync_folder(str(self._data_dir))
        except OSError as error:
            raise BackupError(f"{self._data_dir}: all is there, but may not survive a power loss: {error}") from error

    def _undo(self, fresh: Path) -> None:
        if not fresh.exists():
            return  # nothing was brought, or all of it is in its place
        with suppress(OSError):
            _clear(fresh)
        for sha256 in self._added:
            with suppress(OSError):
                self._store.delete(sha256)

    def _is_brought(self, copy: Snapshot, blob: Held) -> bool:
        try:
            self._bring(blob)
        except SpoiltError as error:
            if self._is_there(blob):
                return True
            self._findings.append(finding(blob, copy.namings(blob.sha256), error))
            copy.drop_cached(blob.sha256)
            return False
        return True

    def _bring(self, blob: Held) -> None:
        """Copy one blob durably, if it is the right one."""
        try:
            file = (self._source / BLOBS / blob.sha256[:2] / blob.sha256).open("rb")
        except OSError as error:
            raise SpoiltError.of(error) from error
        with file:
            writer = self._store.create(blob.size)
            try:
                offset = 0
                for data in pieces(file.fileno(), blob):
                    writer.write_at(offset, [data])
                    offset += len(data)
                if not Path(self._store.path(blob.sha256)).exists():
                    self._added.append(blob.sha256)
                writer.commit(blob.sha256, durable=True)
            except BaseException:
                writer.abort()
                raise

    def _is_there(self, blob: Held) -> bool:
        """Whether the store has it anyway: the index that is put aside may have named it."""
        try:
            reader = self._store.open(blob.sha256)
            if reader is None:
                return False
            with closing(reader):
                examine(reader.fileno(), blob)
            self._store.sync(blob.sha256)
        except (SpoiltError, OSError):
            return False
        return True


def _put_aside(index: Path) -> str:
    """Give an index, and what belongs to it, a name that none has had; it keeps its own until another takes that."""
    with suppress(apsw.Error):  # damaged: whoever repairs it needs its companions, and finds them beside it
        in_one_file(index)
    there = [Path(f"{index}{companion}") for companion in ("", *COMPANIONS)]
    if not any(path.exists() for path in there):
        return ""
    number = 1
    while any(index.parent.glob(f"{index.name}.before-restore.{number}*")):
        number += 1
    aside = f"{index}.before-restore.{number}"
    for companion in COMPANIONS:
        path = Path(f"{index}{companion}")
        if path.exists():
            path.replace(f"{aside}{companion}")
    if index.exists():
        os.link(index, aside)
    return aside


def _clear(fresh: Path) -> None:
    """A journal that was left beside it would be taken for one of the next."""
    for companion in ("", *COMPANIONS):
        Path(f"{fresh}{companion}").unlink(missing_ok=True)
