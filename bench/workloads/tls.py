"""TLS on one side: a cold blob from an HTTPS origin to a plain client, and a held blob from a plain origin to an HTTPS client.

All speak TLS 1.3 with the same cipher; another one is an error.
"""

from bench.clients import get
from bench.scene import Scene, timed_get

CIPHER = "TLS_AES_256_GCM_SHA384"


class CipherError(Exception):
    """Somebody speaks another cipher: the figures would say nothing."""


def run(scene: Scene) -> None:
    """Upstream, then clients."""
    names = scene.chosen("regproxy", "nginx")
    size = scene.options.size
    with scene.serving(*names, scheme="https") as running:
        for number, name in scene.rounds(list(running)):
            blob = scene.blob(size)
            figures = timed_get(running[name], blob, blob.path)
            running[name].drop()
            blob.file.unlink()
            scene.note("tls", f"HTTPS origin, {size >> 20} MiB cold", name, number, **figures)
    if scene.origin.ciphers() != {CIPHER}:
        raise CipherError(str(scene.origin.ciphers()))
    with scene.serving(*names) as running:
        blob = scene.blob(size)
        authority = scene.origin.authority.path
        for program in running.values():
            used = {sample.cipher for sample in get(program.tls_port, blob.path, blob, 1, authority)}
            if used != {CIPHER}:
                raise CipherError(f"{program.name}: {used}")
        for number, name in scene.rounds(list(running)):
            figures = timed_get(running[name], blob, blob.path, 1, authority)
            scene.note("tls", f"HTTPS client, {size >> 20} MiB held", name, number, **figures)
        blob.file.unlink()
