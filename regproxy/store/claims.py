"""Deleting blobs of a disk against those who need them just now, in this process or in another.

A claim is a name in ``moving/`` that begins with the blob's. Whoever publishes a blob makes the claim first and then the
blob's own name; whoever deletes takes the own name away first and then looks for claims, and gives it back if there is one.
Whichever comes first, a claimed blob is there in the end. Claims are hard links, so that they need neither bytes nor inodes.
"""

import os
import secrets
from contextlib import suppress

from attrs import define

from regproxy.store.layout import Layout


def claim_path(layout: Layout, sha256: str) -> str:
    """A name for a new claim."""
    return f"{layout.moving}/{sha256}.{secrets.token_hex(8)}"


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


def delete(layout: Layout, sha256: str) -> bool:
    """Take a blob's name away, unless it is claimed."""
    path = layout.blob(sha256)
    if is_claimed(layout, sha256):
        return False
    aside = f"{layout.moving}/-{secrets.token_hex(8)}"
    try:
        os.rename(path, aside)  # noqa: PTH104 - see above
    except FileNotFoundError:
        return False
    claimed = is_claimed(layout, sha256)
    if claimed:
        with suppress(FileExistsError):  # whoever claims it may have brought it again
            os.link(aside, path)
    os.unlink(aside)  # noqa: PTH108 - see above
    return not claimed
