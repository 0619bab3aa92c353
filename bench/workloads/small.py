"""4 KiB that are held, by wrk: over connections that are kept, and over a new one for each request.

Peers of blobs serve a blob, beside twisted.web with nothing but the same bytes; peers of packages serve a package's file, beside
regproxy with the same file in the same format.
"""

from collections.abc import Sequence

from attrs import frozen

from bench import wrk
from bench.blobs import Blob, Check
from bench.client import download
from bench.packages import FORMATS, announce, path_at, publish
from bench.peers import BLOB_PEERS
from bench.programs import Program
from bench.scene import Scene

SIZE = 4096
KEPT, NEW = "connections kept", "new connections"


@frozen
class Seat:
    """Something to ask for: ``name`` is what the samples are called."""

    name: str
    program: Program
    path: str


def run(scene: Scene) -> None:
    """Blobs, then packages format by format."""
    blob = scene.blob(SIZE)
    with scene.serving(*(name for name in BLOB_PEERS if name in scene.options.small), "twisted.web", file=blob.file) as running:
        seats = [Seat(name, program, blob.path) for name, program in running.items()]
        measure(scene, seats, blob, "")
    package = publish(scene.files, blob)
    announce(scene.files, package, scene.origin.near.port)
    for form, peers in FORMATS.items():
        chosen = [name for name in peers if name in scene.options.small]
        if not chosen:
            continue
        with scene.attempt(f"small, {form}"), scene.serving("regproxy", *chosen) as running:
            found = [
                (name, program, path_at(program, form, package, scene.origin.near.port)) for name, program in running.items()
            ]
            measure(scene, [Seat(*each) for each in found], blob, f"{form}, ")


def measure(scene: Scene, seats: Sequence[Seat], blob: Blob, prefix: str) -> None:
    """Both cases; before them each seat answers three times, with the right bytes."""
    check = Check(blob)
    for seat in seats:
        for _ in range(3):
            if not download(seat.program.port, seat.path, check).good:
                raise RuntimeError(f"{seat.name}: wrong bytes")
        seat.program.settle()
    for case, closing in ((KEPT, False), (NEW, True)):
        for number, seat in scene.rounds(seats):
            scene.note("small", prefix + case, seat.name, number, **hits(seat, scene.options.seconds, closing=closing))


def hits(seat: Seat, seconds: int, *, closing: bool) -> dict[str, float]:
    """One run of wrk."""
    seat.program.settle(3)
    before = seat.program.cpu()
    report = wrk.hit(seat.program.port, seat.path, seconds, closing=closing)
    cpu = (seat.program.cpu() - before) / report.count
    return {"requests/s": report.rate, "p50 ms": report.p50, "p99 ms": report.p99, "CPU µs/request": cpu * 1e6}
