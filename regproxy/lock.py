"""The lock of a data directory: one process at a time. The kernel drops it when the process ends, however it ends."""

import fcntl
import os
from pathlib import Path
from typing import Self

from attrs import define


class LockedError(Exception):
    """Another process works on this data directory, or it cannot be used at all; the text says which."""


@define
class DataDirLock:
    """Holds ``dataDir/lock`` from ``acquire`` to ``release``."""

    _descriptor: int

    @classmethod
    def acquire(cls, data_dir: Path) -> Self:
        """Make the folder (0700) if need be and lock it, at once or not at all: ``LockedError``."""
        try:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LockedError(f"{data_dir}: expected a folder that can be written to: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise LockedError(f"{data_dir}: another regproxy (process {owner or 'unknown'}) works on this folder") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(descriptor)

    def fileno(self) -> int:
        """The descriptor: a process that inherits it holds the lock as well."""
        return self._descriptor

    def release(self) -> None:
        """Let another process have it. The file stays: to remove it would let two processes lock two files of one name."""
        os.close(self._descriptor)
