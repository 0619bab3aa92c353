"""Reading a file without waiting for a disk: what is in the page cache is read at once, the rest is fetched in a thread first.

``RWF_NOWAIT`` says which of the two it is. File systems that do not know the flag (EOPNOTSUPP) are taken as memory.
"""

import errno
import os

AHEAD = 4 << 20


def is_hot(fd: int, offset: int, length: int) -> bool:
    """Whether the first and the last page of a stretch can be read without a disk."""
    return _page_is_hot(fd, offset) and (length < 2 or _page_is_hot(fd, offset + length - 1))  # noqa: PLR2004 - one byte


def _page_is_hot(fd: int, offset: int) -> bool:
    try:
        os.preadv(fd, [bytearray(1)], offset, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    except OSError as error:
        return error.errno != errno.EIO  # a disk that fails says so once more, to whoever fetches the page
    return True


def read_hot(fd: int, offset: int, length: int) -> bytes | None:
    """Read a stretch if all of it is in memory; None if a disk would be asked, or the file is shorter."""
    buffer = bytearray(length)
    try:
        count = os.preadv(fd, [buffer], offset, os.RWF_NOWAIT)
    except BlockingIOError:
        return None
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            return None  # as above
        count = os.preadv(fd, [buffer], offset)
    return bytes(buffer) if count == length else None


def warm(fd: int, offset: int, length: int) -> None:
    """Bring a stretch, and what follows it, into the page cache. Blocks."""
    os.posix_fadvise(fd, offset, max(length, AHEAD), os.POSIX_FADV_WILLNEED)
    os.pread(fd, 1, offset)
    os.pread(fd, 1, offset + length - 1)
