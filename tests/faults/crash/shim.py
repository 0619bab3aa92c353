"""Builds the shim, starts the zygote under it, and runs programs in which the N-th call goes wrong."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from tests.fakes.process import CHECKOUT, environment

SOURCE = Path(__file__).with_name("shim.c")
STRACED = (
    "write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,sync_file_range,rename,renameat,renameat2,link,linkat,unlink,unlinkat,"
    "rmdir,mkdir,mkdirat,mknod,mknodat,symlink,symlinkat,truncate,ftruncate,fallocate,open,openat,openat2,creat,copy_file_range,"
    "sendfile,splice,chmod,fchmod,fchmodat,utimensat,setxattr,fsetxattr,io_uring_enter"
)


class Kind(IntEnum):
    """What happens at the N-th call; the numbers are those of shim.c."""

    NONE = 0
    KILL_BEFORE = 1
    KILL_AFTER = 2
    EIO = 3
    ENOSPC = 4
    SHORT = 5


@frozen
class Call:
    """One line of the shim's log."""

    number: int
    name: str
    inode: int
    offset: int
    length: int
    path: str
    other: str


@frozen
class Ended:
    """How a run ended: the exit status (negative: a signal), and what it left in its result file."""

    code: int
    result: dict[str, Any]


def build(folder: Path) -> Path:
    """Compile the shim."""
    library = folder / "shim.so"
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
    return library


@define(eq=False)
class Zygote:
    """Runs one program at a time."""

    _process: subprocess.Popen[str]
    _folder: Path
    _runs: int = field(init=False, default=0)

    def run(self, program: str, data_dir: Path, url: str, kind: Kind = Kind.NONE, at: int = 0, **more: Any) -> Ended:
        """Run a program to its end, whatever that is."""
        self._runs += 1
        result = self._folder / "result"
        result.unlink(missing_ok=True)
        job = {"program": program, "data_dir": str(data_dir), "url": url, "kind": int(kind), "at": at, "result": str(result)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"journal": os.devnull, **job, **more}) + "\n")
        self._process.stdin.flush()
        code = json.loads(self._process.stdout.readline())["code"]
        return Ended(code, json.loads(result.read_text()) if result.exists() else {})


@contextmanager
def zygote(library: Path, folder: Path, prefix: Sequence[str] = ()) -> Iterator[Zygote]:
    """Start one; ``prefix`` is what runs it (strace)."""
    folder.mkdir(exist_ok=True)
    preload = ["env", f"LD_PRELOAD={library}"]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [*prefix, *preload, sys.executable, "-m", "tests.faults.crash.zygote"],
            cwd=CHECKOUT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            yield Zygote(process, folder)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=60)


def read_log(path: Path) -> list[Call]:
    """The calls of a run."""
    calls = []
    for line in path.read_text().splitlines():
        number, name, inode, offset, length, first, second = line.split("\t")
        calls.append(Call(int(number), name, int(inode), int(offset), int(length), first, second))
    return calls
