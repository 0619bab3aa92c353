"""Small hits while many large fills run: how late are they?

The hits come at a fixed rate, and each is timed from when it was due: a server that stands still delays
all that were due meanwhile.
"""

import subprocess
import sys
import time
from collections.abc import Sequence

from bench.blobs import Blob, Check
from bench.client import download
from bench.clients import Crowd
from bench.programs import CHECKOUT, Program
from bench.records import percentile
from bench.scene import Scene

SMALL = 4096


def run(scene: Scene) -> None:
    """So many cold blobs for each sample; the small one is held before."""
    options, small = scene.options, scene.blob(SMALL)
    with scene.serving(*scene.chosen("regproxy", "nginx", "docker-registry", "varnish")) as running:
        for number, name in scene.rounds(list(running)):
            program = running[name]
            if not download(program.port, small.path, Check(small)).good:
                raise RuntimeError("wrong bytes")
            blobs = [scene.blob(options.fill if number else options.fill // 8) for _ in range(options.fills)]
            program.settle()
            figures = sample(program, small, blobs)
            figures["upstream"] = sum(map(scene.origin.sent, blobs)) / sum(blob.size for blob in blobs)
            program.settle()
            program.drop()
            for blob in blobs:
                blob.file.unlink()
            scene.note("fairness", f"4 KiB hits during {options.fills} × {options.fill >> 20} MiB", name, number, **figures)


def sample(program: Program, small: Blob, blobs: Sequence[Blob]) -> dict[str, float]:
    """Fill all, and hit meanwhile."""
    command = [sys.executable, "-m", "bench.hitting", str(program.port), small.path, str(SMALL)]
    hitting = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT)
    began = time.perf_counter()
    assert hitting.stdout is not None
    hitting.stdout.readline()
    filled = Crowd.filling(program.port, blobs)
    filled.go()
    filled.end()
    took = time.perf_counter() - began
    printed, _ = hitting.communicate("\n", timeout=60)
    times = [float(each) * 1000 for each in printed.split()]
    if hitting.returncode or not times:
        raise RuntimeError("the small hits failed")
    rate = sum(blob.size for blob in blobs) / took / 1e6
    return {"p50 ms": percentile(times, 0.5), "p99 ms": percentile(times, 0.99), "hits": len(times), "fills MB/s": rate}
