"""A package's large file, cold and held, through each proxy of its format and through regproxy."""

from bench.packages import FORMATS, announce, path_at, publish
from bench.scene import Scene, timed_get


def run(scene: Scene) -> None:
    """A new package for each round and peer; its page or document is read before the clock runs, as a client reads it."""
    size, origin = scene.options.package, scene.origin.near.port
    for form, peers in FORMATS.items():
        chosen = scene.chosen(*peers)
        if not chosen:
            continue
        with scene.attempt(f"packages, {form}"), scene.serving("regproxy", *chosen) as running:
            for number, name in scene.rounds(list(running)):
                package = publish(scene.files, scene.blob(size))
                announce(scene.files, package, origin)
                path = path_at(running[name], form, package, origin)
                for case in ("cold", "held"):
                    figures = timed_get(running[name], package.blob, path)
                    figures["upstream"] = scene.origin.sent_as(package.name) / size
                    scene.note("packages", f"{form} {size >> 20} MiB {case}", name, number, **figures)
                running[name].drop()
                for file in scene.files.rglob("*"):
                    if file.is_file() and file.stat().st_size == size:
                        file.unlink()
