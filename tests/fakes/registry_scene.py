"""What every test of a pulling client begins with: a registry with one image, and a regproxy in front of it."""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from attrs import frozen

from tests.fakes.process import Regproxy
from tests.fakes.registry import Registry
from tests.fakes.registry_image import Image, build_image

KEY = "hub"
NAME = "library/app"
TAG = "1"
SECONDS = 50.0

_DOCKER = f"""\
[docker]
defaultRepository = "{KEY}"
[docker.namespaces]
"docker.io" = "{KEY}"
"""


@frozen
class Scene:
    """Registry, proxy, image.

    Attributes:
        registry: has ``image`` as ``NAME:TAG``.
        proxy: has it as the remote ``KEY``, which is also the default repository and the mirror of docker.io.
    """

    registry: Registry
    proxy: Regproxy
    image: Image

    @property
    def host(self) -> str:
        """Host and port of the proxy, as references to images begin."""
        return f"127.0.0.1:{self.proxy.port}"

    def tag_gets(self) -> int:
        """How often upstream was asked by GET for the tag's manifest."""
        return sum(each.path.endswith(f"/manifests/{TAG}") for each in self.registry.gets("/manifests/"))


def make_scene(start: Callable[..., Regproxy], registry: Registry, *further: str, image: Image | None = None) -> Scene:
    """Push the image and start the proxy; ``further`` lines of the repository's configuration."""
    pushed = image or build_image()
    registry.push(NAME, TAG, pushed)
    return Scene(registry, start(_DOCKER + registry.remote(KEY, *further)), pushed)


def run_client(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> str:
    """Run a client and return what it printed; fails with that if it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stdout[-3000:]}"
    return done.stdout
