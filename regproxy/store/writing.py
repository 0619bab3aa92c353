"""Positional writes and reservations: the system calls below every writer, and nothing about names."""

import ctypes
import errno
import os
from collections.abc import Sequence

IOV_MAX = 1024

# What other writers and the index may still need when a file system cannot reserve.
RESERVE = 64 * 1024 * 1024

_KEEP_SIZE = 1
_CANNOT_RESERVE = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}

_fallocate = ctypes.CDLL(None, use_errno=True).fallocate
_fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
_fallocate.restype = ctypes.c_int


def write_all(descriptor: int, offset: int, buffers: Sequence[bytes]) -> None:
    """Write all buffers, one after the other, at an offset. One system call if the kernel takes everything at once."""
    if len(buffers) <= IOV_MAX:
        written = os.pwritev(descriptor, buffers, offset)
        if written == sum(map(len, buffers)):
            return
    else:
        written = 0
    _continue(descriptor, offset, buffers, written)


def _continue(descriptor: int, offset: int, buffers: Sequence[bytes], written: int) -> None:
    left = _without(buffers, written)
    offset += written
    while left:
        written = os.pwritev(descriptor, left[:IOV_MAX], offset)
        if written == 0:
            raise OSError(errno.EIO, "the file system takes no byte and gives no reason")
        left = _without(left, written)
        offset += written


def _without(buffers: Sequence[bytes | memoryview], count: int) -> list[bytes | memoryview]:
    """What is left of buffers behind the first ``count`` bytes; empty ones are dropped."""
    left: list[bytes | memoryview] = []
    for buffer in buffers:
        if count < len(buffer):
            left.append(memoryview(buffer)[count:] if count else buffer)
        count = max(0, count - len(buffer))
    return left


def require(descriptor: int, length: int, held: int = 0, spare: int = 0) -> None:
    """``OSError`` (ENOSPC) unless a file system has so many bytes free, and ``spare`` more; ``held`` are on the disk already."""
    found = os.fstatvfs(descriptor)
    if length - held > found.f_bavail * found.f_frsize - spare:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def reserve(descriptor: int, length: int, held: int = 0) -> None:
    """Set disk space aside for a file without changing its size; ``OSError`` (ENOSPC) if it does not fit.

    ``fallocate`` with KEEP_SIZE, which Python does not have: ``posix_fallocate`` changes the size that followers may look
    at, and where the file system lacks the call it writes zeros. On ext4 1 GiB is reserved in 1 ms and then written as fast as
    without. Where the call is missing, free space is all that can be asked for. ``held`` of the bytes are on the disk already.
    """
    if length <= 0:
        return
    # Asked first: ext4 takes all that there is before it says that it is not enough, and others would run dry meanwhile.
    require(descriptor, length, held)
    if _fallocate(descriptor, _KEEP_SIZE, 0, length) == 0:
        return
    code = ctypes.get_errno()
    if code not in _CANNOT_RESERVE:
        raise OSError(code, os.strerror(code))
    require(descriptor, length, held, RESERVE)
