"""Many clients that ask for one cold blob at the same time: how often the origin sends it, and how long the slowest waits."""

from bench.peers import BLOB_PEERS
from bench.scene import Scene, timed_get


def run(scene: Scene) -> None:
    """A new blob for each sample."""
    size = scene.options.shared
    with scene.serving(*scene.chosen(*BLOB_PEERS)) as running:
        for count in scene.options.clients:
            for number, name in scene.rounds(list(running)):
                blob = scene.blob(size)
                figures = timed_get(running[name], blob, blob.path, count)
                figures["upstream"] = scene.origin.sent(blob) / size
                running[name].drop()
                blob.file.unlink()
                scene.note("clients", f"{count} × {size >> 20} MiB", name, number, **figures)
