"""A range storm: parallel ranges of 8 MiB of a cold blob, as containerd asks; then random small ranges of one that is held."""

import random
import threading
import time
from collections.abc import Sequence

from attrs import frozen

from bench.blobs import Blob, Check
from bench.clients import get
from bench.ranged import Span, fetch
from bench.records import percentile
from bench.scene import MIB, Scene

PART = 8 * MIB
PARALLEL = 8
SMALL = 64 << 10
SPANS = 400


@frozen
class Storm:
    """How it went: seconds in all and of each range."""

    total: float
    each: Sequence[float]


def run(scene: Scene) -> None:
    """The blob is large enough for several ranges each."""
    size = max(scene.options.shared, 4 * PART)
    parts = [Span(first, min(PART, size - first)) for first in range(0, size, PART)]
    with scene.serving(*scene.chosen("regproxy", "nginx", "nginx-slice", "varnish", "squid")) as running:
        for number, name in scene.rounds(list(running)):
            blob, program = scene.blob(size), running[name]
            program.settle()
            before = program.cpu()
            cold = storm(program.port, blob, parts)
            program.settle()
            figures = _figures(cold, size) | {"upstream": scene.origin.sent(blob) / size}
            scene.note("ranges", f"cold, {size >> 20} MiB in {PARALLEL} × 8 MiB", name, number, **figures)
            get(program.port, blob.path, blob)
            hot = storm(program.port, blob, _random(size, number))
            figures = _figures(hot, SPANS * SMALL) | {"CPU s": program.cpu() - before}
            scene.note("ranges", f"held, {SPANS} random × 64 KiB", name, number, **figures)
            program.drop()
            blob.file.unlink()


def _random(size: int, seed: int) -> Sequence[Span]:
    chosen = random.Random(seed)
    return [Span(chosen.randrange(size - SMALL), SMALL) for _ in range(SPANS)]


def _figures(seen: Storm, count: int) -> dict[str, float]:
    times = [each * 1000 for each in seen.each]
    return {"MB/s": count / seen.total / 1e6, "p50 ms": percentile(times, 0.5), "p99 ms": percentile(times, 0.99)}


def storm(port: int, blob: Blob, spans: Sequence[Span]) -> Storm:
    """Get these ranges, so many at a time in their order; each of them must have the right bytes."""
    check, waiting, times = Check(blob), iter(spans), list[float]()
    lock, failed = threading.Lock(), list[Exception]()

    def work() -> None:
        try:
            while True:
                with lock:
                    span = next(waiting, None)
                if span is None:
                    return
                times.append(fetch(port, blob.path, check, span))
        except (OSError, ValueError) as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(PARALLEL)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise RuntimeError(f"a range failed: {failed[0]!r}")
    return Storm(time.perf_counter() - began, times)
