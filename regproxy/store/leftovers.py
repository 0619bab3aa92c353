"""What processes that have ended left in the spool folder: found, read, and swept away.

A spool file with a journal may be continued. Without one, with a second name (a commit that was killed between link and
unlink), or with a journal that cannot be read, it is litter; a journal without its file is, too.
"""

import fcntl
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress

from regproxy.model.ranges import Span
from regproxy.store.interface import Left
from regproxy.store.journal import EXTENTS, META, SUFFIXES, State, read_record
from regproxy.store.layout import READ_FLAGS

# Far more than any waybill and any journal of a body that is worth continuing.
MOST_META = 1 << 20
MOST_EXTENTS = 64 << 20


def leftovers(folder: str) -> Iterator[Left]:
    """Every spool file that could be continued and that nobody is writing."""
    with os.scandir(folder) as entries:
        names = {entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)}
    for name in sorted(names):
        if name + META in names and name + EXTENTS in names:
            left = _read(folder, name)
            if left is not None:
                yield left


def _read(folder: str, name: str) -> Left | None:
    try:
        descriptor = os.open(f"{folder}/{name}", READ_FLAGS)
    except OSError:
        return None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or not _is_idle(descriptor):
            return None
        about, _ = _contents(f"{folder}/{name}{META}", MOST_META)
        lines, modified = _contents(f"{folder}/{name}{EXTENTS}", MOST_EXTENTS)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    record = read_record(lines, found.st_size)
    extents: tuple[Span, ...] = tuple(record.extents)
    return Left(name, about, extents, record.state is State.KEPT, found.st_blocks * 512, modified)


def _is_idle(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _contents(path: str, most: int) -> tuple[bytes, float]:
    descriptor = os.open(path, READ_FLAGS)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(most), os.fstat(descriptor).st_mtime


def sweep_of(folder: str, prefix: str) -> None:
    """Remove what cannot be continued, of those whose names begin so."""
    with os.scandir(folder) as entries:
        ours = {entry.name: entry for entry in entries if entry.name.startswith(prefix)}
    for name, entry in ours.items():
        if "." not in name and name + META not in ours and not entry.is_dir(follow_symlinks=False):
            with suppress(FileNotFoundError):  # it was followed to its end meanwhile
                os.unlink(entry.path)  # noqa: PTH108 - paths are strings here, see Layout


def sweep(folder: str, kept: Collection[str]) -> int:
    """Remove everything but what is kept, which gives back what it had reserved beyond its end."""
    reclaimed = 0
    staying = {name + suffix for name in kept for suffix in ("", *SUFFIXES)}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                continue  # none of ours
            found = entry.stat(follow_symlinks=False)
            if entry.name in kept:
                os.truncate(entry.path, found.st_size)
            elif entry.name not in staying:
                # A claim, and a commit that was killed between link and unlink, is a second name of a blob, whose bytes stay.
                reclaimed += found.st_blocks * 512 if found.st_nlink == 1 else 0
                os.unlink(entry.path)  # noqa: PTH108 - paths are strings here, see Layout
    return reclaimed
