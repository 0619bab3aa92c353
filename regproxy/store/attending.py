"""Reading a blob that another process is writing: its spool file, and its journal as that grows. Nothing here waits."""

import fcntl
import os
from typing import Self

from attrs import define, field

from regproxy.model.ranges import Extents
from regproxy.store.interface import Growth
from regproxy.store.journal import EXTENTS, META, State, read_record
from regproxy.store.layout import READ_FLAGS

MOST_META = 1 << 20
READ = 1 << 20


def is_attended(path: str) -> bool:
    """Whether somebody reads along with the writer of a spool file."""
    try:
        descriptor = os.open(path + EXTENTS, READ_FLAGS)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@define(eq=False)
class Attending:
    """See ``interface.Attending``."""

    about: bytes
    _spool: int
    _journal: int
    _position: int = field(default=0, init=False)

    @classmethod
    def open(cls, path: str) -> Self | None:
        """Open what is beside a spool file; None if it has gone, or has no journal."""
        opened: list[int] = []
        try:
            opened.extend(os.open(path + suffix, READ_FLAGS) for suffix in (META, EXTENTS, ""))
            about = os.pread(opened[0], MOST_META, 0)
            fcntl.flock(opened[1], fcntl.LOCK_SH)  # whoever looks (is_attended) holds it for a moment only
        except OSError as error:
            for descriptor in opened:
                os.close(descriptor)
            if isinstance(error, FileNotFoundError):
                return None
            raise
        os.close(opened[0])
        return cls(about, opened[2], opened[1])

    def fileno(self) -> int:
        """The bytes."""
        return self._spool

    def journal(self) -> int:
        """What is written to when there are more."""
        return self._journal

    def read(self) -> Growth:
        """What is new since it was read last."""
        extents, complete, failed = Extents(), False, False
        while data := os.pread(self._journal, READ, self._position):
            whole = data[: data.rfind(b"\n") + 1]
            if not whole:
                break
            self._position += len(whole)
            # The size is looked at behind the lines: what they speak of is there by then.
            record = read_record(whole, os.fstat(self._spool).st_size)
            for span in record.extents:
                extents.add(span)
            complete = complete or record.state is State.COMPLETE
            failed = failed or record.state is State.FAILED
        return Growth(tuple(extents), complete=complete, failed=failed)

    def close(self) -> None:
        """Let both go."""
        for descriptor in (self._spool, self._journal):
            os.close(descriptor)
