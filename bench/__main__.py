"""Run the benchmark and print ratios: ``python -m bench [--rounds N] [--size MIB] [--clients 1,10,100]``.

Everything is on this machine's loopback interface. Every round makes new blobs, so each peer has a cold miss of its own; the
order of the peers alternates. Only ratios of one run mean anything.
"""

import argparse
import shutil
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

from bench.blobs import Blob, Check, make_blob
from bench.client import Sample, download
from bench.peers import Program, free_port, origin, peers
from bench.workloads import Measured, bare, clients, get, small_hits


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=1024, help="MiB of the large blob")
    parser.add_argument("--shared", type=int, default=256, help="MiB of the blob that many clients get at once")
    parser.add_argument("--clients", default="1,10,100")
    parser.add_argument("--work", type=Path, default=None, help="a folder on the disk to be measured; made and removed")
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="bench-", dir=options.work))
    try:
        run(work, options.rounds, options.size << 20, options.shared << 20, [int(each) for each in options.clients.split(",")])
    finally:
        shutil.rmtree(work, ignore_errors=True)


def run(work: Path, rounds: int, size: int, shared: int, counts: list[int]) -> None:
    """Start everything, measure, print, stop."""
    files = work / "files"
    source = origin(work)
    source.start(files=files)
    running: list[Program] = []
    try:
        running = peers(work, source.port)
        for peer in running:
            peer.start()
        large_blobs(source, running, files, rounds, size)
        many_clients(source, running, files, shared, counts)
        small_blobs(work, running, files, rounds)
    finally:
        for program in (*running, source):
            program.stop()


def large_blobs(source: Program, running: list[Program], files: Path, rounds: int, size: int) -> None:
    """Cold miss and hit of a large blob, one client."""
    results: dict[str, dict[str, list[Measured]]] = defaultdict(lambda: defaultdict(list))
    direct = []
    for number in range(rounds):
        for peer in running if number % 2 == 0 else running[::-1]:
            blob = make_blob(files, size)
            direct.append(clients(source.port, blob, 1)[0])
            results["cold"][peer.name].append(get(peer, source, blob, 1))
            results["hit"][peer.name].append(get(peer, source, blob, 1))
            settle(blob, running)
    print(f"\n{size >> 20} MiB, one client, medians of {rounds} rounds (direct from the origin: {rate(direct, size):.0f} MB/s)")
    titles = ("cold MB/s", "÷ nginx", "ttfb + ms", "CPU s/GB", "hit MB/s", "÷ nginx", "CPU s/GB", "RSS MB")
    print(f"{'':16}" + "".join(f"{title:>11}" for title in titles))
    base = median(sample.first for sample in direct)
    for peer in running:
        cold, hit = results["cold"][peer.name], results["hit"][peer.name]
        figures = [speed(cold, size), speed(cold, size) / speed(results["cold"]["nginx"], size)]
        figures += [
            (median(each.samples[0].first for each in cold) - base) * 1000,
            median(each.cpu for each in cold) * 1e9 / size,
        ]
        figures += [
            speed(hit, size),
            speed(hit, size) / speed(results["hit"]["nginx"], size),
            median(each.cpu for each in hit) * 1e9 / size,
        ]
        print(
            f"{peer.name:16}"
            + "{:11.0f}{:11.2f}{:11.1f}{:11.2f}{:11.0f}{:11.2f}{:11.2f}{:11.0f}".format(*figures, peer.peak_rss())
        )


def many_clients(source: Program, running: list[Program], files: Path, size: int, counts: list[int]) -> None:
    """One cold blob, many clients at once."""
    print(f"\n{size >> 20} MiB cold, many clients: amplification (origin bytes ÷ size), slowest client (s), peak RSS (MB)")
    for count in counts:
        for peer in running:
            blob = make_blob(files, size)
            measured = get(peer, source, blob, count)
            slowest = max(sample.total for sample in measured.samples)
            print(f"{count:5} clients {peer.name:16} {measured.upstream:6.2f} {slowest:8.2f} s {peer.peak_rss():7.0f} MB")
            settle(blob, running)


def small_blobs(work: Path, running: list[Program], files: Path, rounds: int) -> None:
    """4 KiB hits, against bare twisted.web that serves the same bytes."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit("wrk is not installed")
    blob, port = make_blob(files, 4096), free_port()
    yardstick = bare(work / "bare", blob, port)
    try:
        for peer in running:
            for _ in range(3):
                if not download(peer.port, blob.path, Check(blob)).good:
                    raise RuntimeError("wrong bytes")
        rates: dict[str, list[float]] = defaultdict(list)
        for number in range(rounds):
            order = [*((peer.name, peer.port) for peer in running), ("twisted.web", port)]
            for name, at in order if number % 2 == 0 else order[::-1]:
                rates[name].append(small_hits(at, blob.path, 4, wrk))
    finally:
        yardstick.terminate()
        yardstick.wait()
    print("\n4 KiB hits, 16 keep-alive connections")
    mine = median(rates["regproxy"])
    for name, values in rates.items():
        print(f"{name:16} {median(values):8.0f} /s   regproxy is {mine / median(values):.2f} of it")


def settle(blob: Blob, running: list[Program]) -> None:
    """Let background work of the last sample end before the next, and free its space."""
    blob.file.unlink()
    before = -1.0
    while (now := sum(peer.cpu() for peer in running)) != before:
        before = now
        time.sleep(0.3)


def speed(runs: list[Measured], size: int) -> float:
    """MB/s of the median run."""
    return rate([each.samples[0] for each in runs], size)


def rate(samples: list[Sample], size: int) -> float:
    """MB/s of the median sample."""
    return size / median(sample.total for sample in samples) / 1e6


if __name__ == "__main__":
    main()
