"""The workloads: each takes a running peer and gives samples; a sample in which one byte was wrong is an error, not a sample."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from attrs import frozen

from bench.blobs import Blob
from bench.client import Sample
from bench.peers import Program

GIB = 1 << 30


@frozen
class Measured:
    """One run of one workload against one peer."""

    samples: Sequence[Sample]
    cpu: float
    rss: float
    upstream: float = 0.0


def clients(port: int, blob: Blob, count: int) -> Sequence[Sample]:
    """So many clients at once, each a process of its own; they begin together."""
    command = [sys.executable, "-m", "bench.client", str(port), blob.path, str(blob.file)]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    for each in running:
        assert each.stdout is not None
        if each.stdout.readline() != "ready\n":
            raise RuntimeError("a client did not start")
    for each in running:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    samples = []
    for each in running:
        printed, _ = each.communicate(timeout=600)
        if each.returncode:
            raise RuntimeError("a client failed")
        samples.append(msgspec.json.decode(printed, type=Sample))
    if not all(sample.good for sample in samples):
        raise RuntimeError("a client got wrong bytes")
    return samples


def sent_by(origin: Program, blob: Blob) -> int:
    """Bytes of this blob that the origin has sent, by its own log."""
    lines = (origin.folder / "access.log").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[2]) for line in lines if line.startswith("GET") and line.endswith(blob.path))


def get(peer: Program, origin: Program, blob: Blob, count: int) -> Measured:
    """Get one blob by so many clients at once: a cold miss the first time, a hit after that."""
    cpu, before = peer.cpu(), sent_by(origin, blob)
    samples = clients(peer.port, blob, count)
    return Measured(samples, peer.cpu() - cpu, peer.peak_rss(), (sent_by(origin, blob) - before) / blob.size)


_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")


def small_hits(port: int, path: str, seconds: int, wrk: str) -> float:
    """Requests per second of a small hit over 16 keep-alive connections; non-2xx answers are an error."""
    command = [wrk, "-t1", "-c16", f"-d{seconds}", f"http://127.0.0.1:{port}{path}"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = _RATE.search(printed)
    if rate is None or "Non-2xx" in printed or "Socket errors" in printed:
        raise RuntimeError(printed)
    return float(rate[1])


def bare(folder: Path, blob: Blob, port: int) -> "subprocess.Popen[bytes]":
    """Start bare twisted.web with a blob's bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen([sys.executable, "-m", "bench.bare", str(port), str(blob.file)])
