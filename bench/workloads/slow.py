"""An upstream far away: 50 ms, 25 MB/s for each connection. A cold blob by one download, by aria2 with as many connections as
regproxy has, and through regproxy.

The direct download stops after a quarter of the blob: the origin sets its pace.
"""

import subprocess
import time
from pathlib import Path

from bench.blobs import Blob, Check
from bench.client import download
from bench.installed import DEBIAN, LIBRARIES, program
from bench.scene import MIB, Scene, timed_get

CONNECTIONS = 16
WARM = 32 * MIB
DIRECT, ARIA = "direct", "aria2"


def run(scene: Scene) -> None:
    """In front of the far origin; the warm-up is a small blob."""
    far, origin = scene.origin.far.port, scene.origin
    with scene.serving("regproxy", origin=far, segments=CONNECTIONS) as running:
        for number, name in scene.rounds([*running, ARIA, DIRECT]):
            blob = scene.blob(scene.options.size if number else WARM)
            if name == DIRECT:
                figures = directly(far, blob)
            elif name == ARIA:
                figures = by_aria(scene.work, far, blob)
            else:
                figures = timed_get(running[name], blob, blob.path) | {"upstream": origin.sent(blob) / blob.size}
                running[name].drop()
            blob.file.unlink()
            scene.note("slow", f"{scene.options.size >> 20} MiB", name, number, **figures)


def directly(port: int, blob: Blob) -> dict[str, float]:
    """The last quarter of the blob over one connection."""
    begin = blob.size * 3 // 4
    sample = download(port, blob.path, Check(blob), first_byte=begin)
    if not sample.good:
        raise RuntimeError("the origin sent wrong bytes")
    return {"MB/s": (blob.size - begin) / sample.total / 1e6, "first ms": sample.first * 1000}


def by_aria(work: Path, port: int, blob: Blob) -> dict[str, float]:
    """A download over many connections."""
    out = work / "aria2"
    out.mkdir(exist_ok=True)
    command = [program("aria2c", DEBIAN / "usr/bin"), "--quiet", "--no-conf", f"--dir={out}", "--out=body"]
    # Many pieces of 1 MiB, as many connections to one server as regproxy has; no preallocation, which would cost it a second.
    command += [
        f"--split={CONNECTIONS}",
        f"--max-connection-per-server={CONNECTIONS}",
        "--min-split-size=1M",
        "--piece-length=1M",
    ]
    command += ["--file-allocation=none", "--allow-overwrite=true", f"http://127.0.0.1:{port}{blob.path}"]
    began = time.perf_counter()
    subprocess.run(command, env=dict(LIBRARIES), check=True, timeout=900)
    took = time.perf_counter() - began
    body = out / "body"
    same = subprocess.run(["cmp", "--silent", str(body), str(blob.file)], check=False).returncode == 0
    body.unlink()
    if not same:
        raise RuntimeError("aria2 got wrong bytes")
    return {"MB/s": blob.size / took / 1e6}
