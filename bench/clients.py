"""Clients in processes of their own, which begin together; a download with one wrong byte is an error, not a sample."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from attrs import frozen

from bench.blobs import Blob
from bench.client import Sample
from bench.programs import CHECKOUT

# Two cores: more processes would only add to what all of them cost.
PROCESSES = 2
SECONDS = 900


@frozen
class Crowd:
    """Clients that are ready to begin."""

    running: "Sequence[subprocess.Popen[str]]"
    count: int

    @classmethod
    def of(cls, port: int, path: str, blob: Blob, count: int, ca: Path | None = None) -> "Crowd":
        """Start so many, and wait until they are ready."""
        each, more = divmod(count, min(count, PROCESSES))
        shares = [each + (number < more) for number in range(min(count, PROCESSES))]
        wanted = [f"{path}={blob.file}"]
        command = [sys.executable, "-m", "bench.client", *([f"--ca={ca}"] if ca else []), str(port)]
        return cls([_ready(command + wanted * share) for share in shares], count)

    @classmethod
    def filling(cls, port: int, blobs: Sequence[Blob]) -> "Crowd":
        """One client for each of many blobs, all in one process: what they cost is the same for every peer."""
        command = [sys.executable, "-m", "bench.client", str(port), *(f"{blob.path}={blob.file}" for blob in blobs)]
        return cls([_ready(command)], len(blobs))

    def go(self) -> None:
        """Begin."""
        for process in self.running:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()

    def end(self) -> Sequence[Sample]:
        """Wait for the last of them."""
        samples: list[Sample] = []
        for process in self.running:
            printed, _ = process.communicate(timeout=SECONDS)
            samples += msgspec.json.decode(printed, type=list[Sample])
        if len(samples) != self.count:
            raise RuntimeError("a client failed")
        if not all(sample.good for sample in samples):
            raise RuntimeError("a client got wrong bytes")
        return samples


def _ready(command: list[str]) -> "subprocess.Popen[str]":
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT)
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise RuntimeError("a client did not start")
    return process


def get(port: int, path: str, blob: Blob, count: int = 1, ca: Path | None = None) -> Sequence[Sample]:
    """Get a blob by so many clients at once."""
    crowd = Crowd.of(port, path, blob, count, ca)
    crowd.go()
    return crowd.end()
