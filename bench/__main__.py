"""Measure, and keep every sample: ``python -m bench``, then ``python -m bench.report DIR``.

Everything is on this machine's loopback interface. Only ratios of one run mean anything, and only if nothing else runs beside it.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bench.machine import describe
from bench.origins import Origin
from bench.packages import PACKAGE_PEERS
from bench.peers import BLOB_PEERS
from bench.records import Book
from bench.scene import MIB, Options, Scene
from bench.targets import table
from bench.workloads import WORKLOADS

TARGETS = ("cold", "hit", "outage", "small", "clients", "slow", "fairness", "tls", "workers")
LARGE = (*BLOB_PEERS, "nginx-slice", *PACKAGE_PEERS)


def main() -> None:
    """Run what was asked for."""
    given = arguments(sys.argv[1:])
    out: Path = given.out
    out.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="bench-", dir=given.work))
    sources = Path(tempfile.mkdtemp(prefix="bench-", dir=given.sources))
    book, missing, began = Book(), dict[str, str](), time.monotonic()
    try:
        origin = Origin.make(work, sources)
        try:
            origin.start()
            scene = Scene(work, sources, origin, options(given), book, missing)
            for name in given.only:
                print(f"{name}: {(sys.modules[WORKLOADS[name].__module__].__doc__ or '').splitlines()[0]}", flush=True)
                with scene.attempt(name):
                    WORKLOADS[name](scene)
                book.save(out / "samples.json")
        finally:
            origin.stop()
    finally:
        shutil.rmtree(work, ignore_errors=True)
        shutil.rmtree(sources, ignore_errors=True)
    describe(out / "run.json", ["python", "-m", "bench", *sys.argv[1:]], given.rounds, missing, time.monotonic() - began)
    print("\n".join(table(book)))
    print(f"every sample: {out / 'samples.json'}; the report: python -m bench.report {out}")
    if scene.failed:
        sys.exit(f"not everything could be measured: {scene.failed}")


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """Those of the command line; lists are checked against what there is."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", type=listed(WORKLOADS), default=TARGETS, help=f"of {','.join(WORKLOADS)}; all: all of them")
    parser.add_argument("--peers", type=listed(LARGE), default=Options().peers, help="for everything but small hits; or all")
    parser.add_argument("--small-peers", type=listed((*BLOB_PEERS, *PACKAGE_PEERS)), default=Options().small, help="or all")
    parser.add_argument("--rounds", type=int, default=5, help="that count; a warm-up round comes before them")
    parser.add_argument("--size", type=int, default=1024, metavar="MIB", help="of the large blob")
    parser.add_argument("--shared", type=int, default=256, metavar="MIB", help="of the blob that many clients get at once")
    parser.add_argument("--package", type=int, default=64, metavar="MIB", help="of a large package")
    parser.add_argument("--clients", type=lambda text: [int(each) for each in text.split(",")], default=[100])
    parser.add_argument("--fills", type=int, default=50, help="large fills beside the small hits of fairness")
    parser.add_argument("--fill", type=int, default=64, metavar="MIB", help="of each of them")
    parser.add_argument("--seconds", type=int, default=3, help="of each run of wrk")
    parser.add_argument("--out", type=Path, default=Path("bench/work"), metavar="DIR", help="for the samples")
    parser.add_argument("--work", type=Path, default=None, metavar="DIR", help="on the disk to be measured")
    shared_memory = Path("/dev/shm")
    sources = shared_memory if shared_memory.is_dir() else None
    parser.add_argument(
        "--sources", type=Path, default=sources, metavar="DIR", help="for the origin's files: memory, so they are warm"
    )
    return parser.parse_args(given)


def listed(names: Iterable[str]) -> Callable[[str], Sequence[str]]:
    """A type of argument: names of a list, with commas between them; ``all`` is all of them."""
    known = list(names)

    def read(text: str) -> Sequence[str]:
        chosen = known if text == "all" else text.split(",")
        if not set(chosen) <= set(known):
            raise argparse.ArgumentTypeError(f"{text}: not of {','.join(known)}")
        return chosen

    return read


def options(given: argparse.Namespace) -> Options:
    """What the workloads read."""
    return Options(
        rounds=given.rounds,
        size=given.size * MIB,
        shared=given.shared * MIB,
        package=given.package * MIB,
        seconds=given.seconds,
        clients=given.clients,
        fills=given.fills,
        fill=given.fill * MIB,
        peers=given.peers,
        small=given.small_peers,
    )


if __name__ == "__main__":
    main()
