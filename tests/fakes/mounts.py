"""File systems of a test's own: small ones that can be filled, made read-only, or run out of inodes."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from attrs import define


def _run(*arguments: str) -> None:
    subprocess.run(arguments, check=True, capture_output=True, timeout=60)


@define
class Volume:
    """A mounted file system, at ``path``."""

    path: Path
    image: str = ""

    def fill(self, leave: int = 0) -> None:
        """Take all room but so many bytes, as another program would."""
        with (self.path / "other-program").open("ab") as file:
            while True:
                space = os.statvfs(self.path)
                more = min(1 << 20, space.f_bavail * space.f_frsize - leave)
                if more <= 0:
                    return
                try:
                    file.write(bytes(more))
                    file.flush()
                except OSError:
                    return

    def relieve(self) -> None:
        """The other program has gone, and its inodes too."""
        for name in ("other-program", "many"):
            found = self.path / name
            if found.is_dir():
                shutil.rmtree(found)
            else:
                found.unlink(missing_ok=True)

    def use_up_inodes(self) -> None:
        """Make empty files until no more can be made."""
        folder = self.path / "many"
        folder.mkdir()
        try:
            for number in range(1 << 20):
                (folder / str(number)).touch()
        except OSError:
            return

    def break_down(self) -> None:
        """Let ext4 find an error, whereupon it is read-only, open files included."""
        Path(f"/sys/fs/ext4/{Path(self.device).name}/trigger_fs_error").write_text("1")

    def mend(self) -> None:
        """Unmount, repair, mount again."""
        _run("umount", str(self.path))
        subprocess.run(["e2fsck", "-fy", self.image], check=False, capture_output=True, timeout=60)
        _mount(self.image, self.path)

    @property
    def device(self) -> str:
        """What is mounted."""
        lines = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
        return next(line[0] for line in lines if line[1] == str(self.path))


def _mount(image: Path | str, path: Path) -> None:
    _run("mount", "-o", "loop,errors=remount-ro", str(image), str(path))


def _unable(why: str) -> NoReturn:
    """Skip, or fail where nothing may be skipped."""
    if os.environ.get("REGPROXY_REQUIRE_CLIENTS") == "1":
        pytest.fail(why)
    pytest.skip(why)


@contextmanager
def tmpfs(path: Path, size: int, inodes: int = 4096) -> Iterator[Volume]:
    """A file system in memory; the test is skipped where nobody may mount."""
    path.mkdir()
    try:
        _run("mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes={inodes},mode=700", "tmpfs", str(path))
    except (OSError, subprocess.CalledProcessError) as error:
        _unable(f"mounts need root: {error}")
    try:
        yield Volume(path)
    finally:
        _run("umount", "-l", str(path))


@contextmanager
def ext4(path: Path, size: int, inodes: int = 256) -> Iterator[Volume]:
    """A file system in a file, on a loop device; skipped where that is not possible."""
    path.mkdir()
    image = path.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(size)
    try:
        _run("mkfs.ext4", "-q", "-m", "0", "-N", str(inodes), str(image))
        _mount(image, path)
    except (OSError, subprocess.CalledProcessError) as error:
        _unable(f"loop devices and mounts are needed: {error}")
    try:
        yield Volume(path, str(image))
    finally:
        _run("umount", "-l", str(path))
