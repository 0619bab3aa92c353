"""Two workers beside one: small hits by wrk, and the processor time of all processes for each request."""

from bench.blobs import Check
from bench.client import download
from bench.scene import Scene
from bench.workloads.small import KEPT, SIZE, Seat, hits

ONE, TWO = "regproxy", "regproxy-2-workers"


def run(scene: Scene) -> None:
    """A regproxy that cannot run with two workers is left out, and said so."""
    blob = scene.blob(SIZE)
    with scene.serving(ONE) as one, scene.serving(TWO, workers=2) as two:
        seats = [Seat(name, program, blob.path) for name, program in {**one, **two}.items()]
        for seat in seats:
            for _ in range(16):
                if not download(seat.program.port, seat.path, Check(blob)).good:
                    raise RuntimeError(f"{seat.name}: wrong bytes")
        for number, seat in scene.rounds(seats):
            scene.note("workers", KEPT, seat.name, number, **hits(seat, scene.options.seconds, closing=False))
