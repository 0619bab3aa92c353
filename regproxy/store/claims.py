"""Deleting blobs of a disk against those who need them just now, in this process or in another.

A claim is a name in ``moving/`` that begins with the blob's. Whoever publishes a blob makes the claim first and then the
blob's own name; whoever deletes takes the own name away first and then looks for claims, and gives it back if there is one.
Whichever comes first, a claimed blob is there in the end. Claims are hard links, so that they need neither bytes nor inodes.
Meanwhile it has a name there, too, behind a dash: what a crash leaves so may have been needed, and is put back at the start.
Each of these names says whose it is, so that what one of several processes leaves need not wait for the end of the others.
"""

import os
import secrets
from contextlib import suppress

from attrs import define

from regproxy.store.layout import Layout, is_name


def claim_path(layout: Layout, sha256: str) -> str:
    """A name for a new claim."""
    return f"{layout.moving}/{sha256}.{os.getpid()}.{secrets.token_hex(8)}"


def is_claimed(layout: Layout, sha256: str) -> bool:
    """Whether anybody needs a blob just now."""
    return any(name.startswith(sha256) for name in os.listdir(layout.moving))  # noqa: PTH208 - paths are strings here


@define
class DiskClaim:
    """A ``Claim`` on a disk."""

    _path: str

    def release(self) -> None:
        """Remove the claim's name."""
        with suppress(FileNotFoundError):
            os.unlink(self._path)  # noqa: PTH108 - paths are strings here, see Layout


def claim(layout: Layout, sha256: str) -> DiskClaim | None:
    """Claim a blob that is there."""
    path = claim_path(layout, sha256)
    try:
        os.link(layout.blob(sha256), path)
    except FileNotFoundError:
        return None
    return DiskClaim(path)


@define
class DiskAside:
    """An ``Aside`` on a disk."""

    _aside: str
    _path: str

    def restore(self) -> None:
        """Give it its name again, unless another has it by now."""
        with suppress(FileExistsError):
            os.link(self._aside, self._path)
        self.drop()

    def drop(self) -> None:
        """Remove it."""
        os.unlink(self._aside)  # noqa: PTH108 - see above


def set_aside(layout: Layout, sha256: str) -> DiskAside | None:
    """Take a blob's name away, unless it is claimed."""
    path = layout.blob(sha256)
    if is_claimed(layout, sha256):
        return None
    aside = DiskAside(f"{layout.moving}/-{sha256}.{os.getpid()}.{secrets.token_hex(8)}", path)
    try:
        os.rename(path, aside._aside)  # noqa: PTH104, SLF001 - see above; its own
    except FileNotFoundError:
        return None
    is_needed = True  # unless it is seen that it is not
    try:
        is_needed = is_claimed(layout, sha256)
    finally:
        if is_needed:
            aside.restore()
    return None if is_needed else aside


def is_aside(layout: Layout, sha256: str) -> bool:
    """Whether a blob is out of sight just now: it has its name again before it loses the other one."""
    return any(name.startswith(f"-{sha256}.") for name in os.listdir(layout.moving))  # noqa: PTH208 - as above


def put_back(layout: Layout) -> None:
    """After a crash, before anything else: every blob that was out of sight has its name again, unless another has it."""
    for name in os.listdir(layout.moving):  # noqa: PTH208 - as above
        _put_back(layout, name)


def _put_back(layout: Layout, name: str) -> None:
    sha256 = name[1:].partition(".")[0]
    if name.startswith("-") and is_name(sha256):
        DiskAside(f"{layout.moving}/{name}", layout.blob(sha256)).restore()


def let_go(layout: Layout, process: int) -> None:
    """A process has ended, and others have not: what it had out of sight is put back, what it had claimed is claimed no more.

    What the disk does not take stays for the next start; ``OSError`` says so behind all the others.
    """
    failed = None
    for name in os.listdir(layout.moving):  # noqa: PTH208 - as above
        if name.split(".")[1:2] == [str(process)]:
            try:
                _put_back(layout, name)
                DiskClaim(f"{layout.moving}/{name}").release()  # if it was one
            except OSError as error:
                failed = error
    if failed is not None:
        raise failed
