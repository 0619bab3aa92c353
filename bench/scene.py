"""What every workload is given: folders, the origin, the peers that were asked for, the rounds and the book of samples."""

import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from attrs import define, field, frozen

from bench.blobs import Blob, make_blob
from bench.clients import get
from bench.installed import MissingPeerError
from bench.origins import Origin
from bench.packages import PACKAGE_PEERS
from bench.peers import make
from bench.programs import Program
from bench.records import Book, Record

T = TypeVar("T")
MIB = 1 << 20


@frozen
class Options:
    """How much is measured, and of whom. Sizes are bytes; ``small``: the peers of small hits, ``peers``: of everything else."""

    rounds: int = 5
    size: int = 1024 * MIB
    shared: int = 256 * MIB
    package: int = 64 * MIB
    seconds: int = 3
    clients: Sequence[int] = (1, 10, 100)
    fills: int = 50
    fill: int = 64 * MIB
    peers: Sequence[str] = ("regproxy", "nginx")
    small: Sequence[str] = ("regproxy", "nginx", "docker-registry", *PACKAGE_PEERS)


@define(eq=False)
class Scene:
    """One run."""

    work: Path
    files: Path
    origin: Origin
    options: Options
    book: Book
    missing: dict[str, str] = field(factory=dict)
    failed: str = ""

    def chosen(self, *names: str) -> Sequence[str]:
        """Those of these peers that were asked for."""
        return [name for name in names if name in self.options.peers]

    @contextmanager
    def serving(self, *names: str, **values: object) -> Iterator[Mapping[str, Program]]:
        """Peers that run, with empty caches; one that is not installed or does not start is noted and left out."""
        with ExitStack() as stack:
            running = {}
            for name in names:
                try:
                    program = make(name, self.work, self.origin, values)
                    program.start()
                except (MissingPeerError, RuntimeError) as error:
                    self.missing[name] = str(error)
                    print(f"  left out: {name}: {error}", flush=True)
                    continue
                stack.callback(program.stop)
                running[name] = program
            yield running

    @contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Note what fails, and go on: a long run must not lose what else it measures."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever a peer or its client came to
            traceback.print_exc()
            self.missing[what] = self.failed = repr(error)

    def rounds(self, items: Sequence[T]) -> Iterator[tuple[int, T]]:
        """Each item in each round, in alternating order; round 0 is a warm-up."""
        for number in range(self.options.rounds + 1):
            for item in items if number % 2 == 0 else items[::-1]:
                yield number, item

    def blob(self, size: int) -> Blob:
        """A new blob of the origin."""
        return make_blob(self.files, size)

    def note(self, workload: str, case: str, peer: str, number: int, **figures: float) -> None:
        """Keep one sample, and print it."""
        record = Record(workload, case, peer, number, figures)
        self.book.add(record)
        shown = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
        print(f"  {case} · {peer} · {number or 'warm-up'}: {shown}", flush=True)


def timed_get(program: Program, blob: Blob, path: str, count: int = 1, ca: Path | None = None) -> dict[str, float]:
    """Get a blob, and what that cost the server: rate of all clients, first byte, slowest client, processor and memory."""
    port = program.tls_port if ca is not None else program.port
    program.settle()
    program.forget_peak()
    before = program.cpu()
    samples = get(port, path, blob, count, ca)
    slowest = max(sample.total for sample in samples)
    program.settle()
    return {
        "MB/s": blob.size * count / slowest / 1e6,
        "first ms": min(sample.first for sample in samples) * 1000,
        "slowest s": slowest,
        "CPU s/GB": (program.cpu() - before) * 1e9 / (blob.size * count),
        "RSS MB": program.peak_rss(),
    }
