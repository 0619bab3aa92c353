"""podman pulls through regproxy, directly and as a mirror, with and without the registry."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.fakes.process import Regproxy
from tests.fakes.registry import Registry
from tests.fakes.registry_scene import KEY, NAME, TAG, Scene, make_scene, run_client

pytestmark = pytest.mark.client("docker-registry", "podman")

_CONF = """\
[[registry]]
location = "{host}"
insecure = true
[[registry]]
prefix = "docker.io"
location = "docker.io"
[[registry.mirror]]
location = "{host}/{key}"
insecure = true
"""


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """An upstream."""
    with Registry(tmp_path / "registry") as running:
        yield running


def pulled(scene: Scene, reference: str, platform: str) -> None:
    """Pull into an empty store, and check that it is the image of the platform."""
    with TemporaryDirectory(prefix="rp") as folder:  # podman wants a --runroot of at most 50 characters
        _pulled_into(Path(folder), scene, reference, platform)


def _pulled_into(state: Path, scene: Scene, reference: str, platform: str) -> None:
    conf = state / "registries.conf"
    conf.write_text(_CONF.format(host=scene.host, key=KEY))
    env = {"CONTAINERS_REGISTRIES_CONF": str(conf), "HOME": str(state)}
    podman: list[str | Path] = ["podman", "--root", state / "root", "--runroot", state / "run", "--storage-driver", "vfs"]
    run_client([*podman, "pull", "--arch", platform, reference], env)
    number = ("amd64", "arm64").index(platform)
    config = json.loads(scene.image.manifests[number].body)["config"]["digest"].removeprefix("sha256:")
    found = run_client([*podman, "inspect", "--format", "{{.Digest}} {{.Id}} {{.Architecture}}", reference], env)
    assert found.split() == [scene.image.index.digest, config, platform]
    run_client([*podman, "rmi", "--all", "--force"], env)


def test_pulls_each_platform_and_again_without_the_registry(registry: Registry, twist_regproxy: Callable[..., Regproxy]) -> None:
    """Each platform is its own pull; offline they come from the cache, though the tag is stale."""
    scene = make_scene(twist_regproxy, registry, "retrievalCachePeriodSecs = 0")
    for platform in ("amd64", "arm64"):
        pulled(scene, f"{scene.host}/{KEY}/{NAME}:{TAG}", platform)
    assert scene.tag_gets() == 1
    registry.stop()
    pulled(scene, f"{scene.host}/{KEY}/{NAME}:{TAG}", "amd64")
    pulled(scene, f"docker.io/{NAME}:{TAG}", "arm64")
