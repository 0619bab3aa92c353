"""The lock of a data directory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from regproxy.lock import DataDirLock, LockedError


def test_second_is_refused(tmp_path: Path) -> None:
    """The line names the folder and the process that holds it; a released lock can be taken again."""
    lock = DataDirLock.acquire(tmp_path / "data")
    with pytest.raises(LockedError, match=rf"data: another regproxy \(process {os.getpid()}\) works on this folder"):
        DataDirLock.acquire(tmp_path / "data")
    lock.release()
    DataDirLock.acquire(tmp_path / "data").release()


def test_folder_is_private(tmp_path: Path) -> None:
    """A new folder can be entered by its owner only."""
    DataDirLock.acquire(tmp_path / "new" / "data").release()
    assert (tmp_path / "new" / "data").stat().st_mode & 0o777 == 0o700


def test_death_releases(tmp_path: Path) -> None:
    """A process that ends without a word leaves nothing behind that keeps the next one away."""
    code = "import os, sys; from pathlib import Path; from regproxy.lock import DataDirLock\n"
    code += "DataDirLock.acquire(Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, timeout=30)
    assert done.returncode == -9
    DataDirLock.acquire(tmp_path).release()


def test_impossible_folder(tmp_path: Path) -> None:
    """A file in its place is one line, too."""
    (tmp_path / "data").write_text("")
    with pytest.raises(LockedError, match="expected a folder that can be written to"):
        DataDirLock.acquire(tmp_path / "data")
