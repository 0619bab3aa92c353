"""A large blob that nobody has asked for yet, one client; beside it the origin itself, and the bare yardstick."""

from bench.clients import get
from bench.peers import BLOB_PEERS
from bench.scene import Scene, timed_get

DIRECT = "direct"


def run(scene: Scene) -> None:
    """A new blob for each sample: its file leaves as soon as it is measured."""
    size = scene.options.size
    case = f"{size >> 20} MiB"
    with scene.serving(*scene.chosen(*BLOB_PEERS), "bare") as running:
        for number, name in scene.rounds([*running, DIRECT]):
            blob = scene.blob(size)
            if name == DIRECT:
                sample = get(scene.origin.near.port, blob.path, blob)[0]
                figures = {"MB/s": size / sample.total / 1e6, "first ms": sample.first * 1000}
            else:
                figures = timed_get(running[name], blob, blob.path)
                figures["upstream"] = scene.origin.sent(blob) / size
                running[name].drop()
            blob.file.unlink()
            scene.note("cold", case, name, number, **figures)
