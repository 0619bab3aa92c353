"""Where a disk store keeps things, and with which rights: paths, open flags and fsyncs of directories; no blob is read here.

``blobs/sha256/ab/<hex>`` is what readers see, ``spool/`` is what is being written, ``moving/`` what is claimed or on its way
out (``claims``), ``quarantine/`` what did not match its name. All are one file system, because a commit is a rename. Only the
user that regproxy runs as may look into them.
"""

import os
import re
from pathlib import Path

from attrs import define, field

FILE_MODE = 0o600
FOLDER_MODE = 0o700

# O_NONBLOCK: a FIFO under a blob's name must not stop the reactor; it means nothing to a regular file.
READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
RESUME_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
SPOOL_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_NAME = re.compile(r"[0-9a-f]{64}")


def is_name(text: str) -> bool:
    """Whether this can be a blob's name."""
    return _NAME.fullmatch(text) is not None


def sync_folder(folder: str) -> None:
    """Make the names in a folder survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_durably(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_durably(folder.parent)
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    sync_folder(str(folder.parent))


@define
class Layout:
    """The folders below a root; paths are plain strings, because one is made for every hit."""

    root: Path
    blobs: str = field(init=False)
    spool: str = field(init=False)
    moving: str = field(init=False)
    quarantine: str = field(init=False)
    _durable_folders: set[str] = field(init=False, factory=set)

    def __attrs_post_init__(self) -> None:
        self.blobs = str(self.root / "blobs" / "sha256")
        self.spool = str(self.root / "spool")
        self.moving = str(self.root / "moving")
        self.quarantine = str(self.root / "quarantine")

    def make(self) -> None:
        """Make the folders that are not there yet."""
        for folder in (self.blobs, self.spool, self.moving, self.quarantine):
            _make_durably(Path(folder))

    def folder(self, sha256: str) -> str:
        """The folder of a blob; ``ValueError`` for what cannot be a name, so that none becomes a path."""
        if _NAME.fullmatch(sha256) is None:
            raise ValueError("not a sha256 name")
        return f"{self.blobs}/{sha256[:2]}"

    def blob(self, sha256: str) -> str:
        """The file of a blob; ``ValueError`` as above."""
        return f"{self.folder(sha256)}/{sha256}"

    def make_folder(self, sha256: str) -> None:
        """Make the folder of a blob."""
        Path(self.folder(sha256)).mkdir(mode=FOLDER_MODE, exist_ok=True)

    def sync_name(self, sha256: str) -> None:
        """Make a blob's name survive a power loss: the entry in its folder, and once per run that of the folder itself."""
        folder = self.folder(sha256)
        sync_folder(folder)
        if folder not in self._durable_folders:
            sync_folder(self.blobs)
            self._durable_folders.add(folder)
