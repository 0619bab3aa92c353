"""A large blob that is held, one client."""

from bench.peers import BLOB_PEERS
from bench.scene import Scene, timed_get


def run(scene: Scene) -> None:
    """Every peer gets the blob once, unmeasured; after that nobody may ask the origin for its body."""
    blob = scene.blob(scene.options.size)
    case = f"{blob.size >> 20} MiB"
    with scene.serving(*scene.chosen(*BLOB_PEERS)) as running:
        for program in running.values():
            timed_get(program, blob, blob.path)
        before = scene.origin.sent(blob)
        for number, name in scene.rounds(list(running)):
            scene.note("hit", case, name, number, **timed_get(running[name], blob, blob.path))
        if scene.origin.sent(blob) != before:
            raise RuntimeError("a hit asked the origin")
    blob.file.unlink()
