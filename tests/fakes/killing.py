"""Runs a program of this test suite and kills it (-9) in the middle of its work."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def killed(module: str, *arguments: str, after: int) -> list[str]:
    """Kill the program when it has printed ``after`` lines; returns all whole lines that it got out."""
    with subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(after)]
        process.kill()
        lines += process.stdout.readlines()
    assert process.returncode == -9
    return [line.decode().strip() for line in lines if line.endswith(b"\n")]
