"""containerd pulls through regproxy as the mirror of docker.io, in the two forms of hosts.toml, with and without the registry."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.process import Regproxy
from tests.fakes.registry import Registry
from tests.fakes.registry_clients import Containerd
from tests.fakes.registry_scene import KEY, NAME, TAG, Scene, make_scene, run_client

pytestmark = pytest.mark.client("docker-registry", "containerd", "ctr")

_API_ROOT = """\
server = "http://{host}/v2/{key}"
override_path = true
[host."http://{host}/v2/{key}"]
  capabilities = ["pull", "resolve"]
  override_path = true
"""
_PATH = """\
server = "http://{host}/{key}"
[host."http://{host}/{key}"]
  capabilities = ["pull", "resolve"]
"""
_NAMESPACE = """\
server = "http://{host}"
[host."http://{host}"]
  capabilities = ["pull", "resolve"]
"""


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """An upstream."""
    with Registry(tmp_path / "registry") as running:
        yield running


@pytest.fixture
def containerd(tmp_path: Path) -> Iterator[Containerd]:
    """An engine of its own."""
    with Containerd(tmp_path / "containerd") as running:
        yield running


def pulled(scene: Scene, containerd: Containerd, hosts: str, folder: Path, name: str = f"docker.io/{NAME}:{TAG}") -> None:
    """Pull all platforms through a hosts.toml, check the digest and every blob, and forget the image."""
    place = folder / name.partition("/")[0]
    place.mkdir(parents=True)
    (place / "hosts.toml").write_text(hosts.format(host=scene.host, key=KEY))
    pull = ("images", "pull", "--snapshotter", "native", "--all-platforms", "--hosts-dir", folder, name)
    run_client(containerd.ctr(*pull))
    assert scene.image.index.digest in run_client(containerd.ctr("images", "ls", f"name=={name}"))
    content = run_client(containerd.ctr("content", "ls", "-q")).split()
    wanted = {scene.image.index.digest, *(each.digest for each in scene.image.manifests), *scene.image.blobs}
    assert wanted <= set(content)
    run_client(containerd.ctr("images", "rm", "--sync", name))
    assert run_client(containerd.ctr("content", "ls", "-q")).split() == []


def test_pulls_and_pulls_again_without_the_registry(
    tmp_path: Path, registry: Registry, containerd: Containerd, twist_regproxy: Callable[..., Regproxy]
) -> None:
    """It asks HEAD by tag and GET by digest: one GET upstream, and offline the tag is still known."""
    scene = make_scene(twist_regproxy, registry, "retrievalCachePeriodSecs = 0")
    pulled(scene, containerd, _API_ROOT, tmp_path / "first")
    assert scene.tag_gets() == 1
    assert registry.gets(f"/manifests/{scene.image.index.digest}") == []
    registry.stop()
    pulled(scene, containerd, _API_ROOT, tmp_path / "second")


@pytest.mark.parametrize("hosts", [_PATH, _NAMESPACE])
def test_other_forms_of_the_mirror(
    tmp_path: Path, registry: Registry, containerd: Containerd, twist_regproxy: Callable[..., Regproxy], hosts: str
) -> None:
    """A host with a path asks below ``/{key}/v2/``; one without says which registry it means by ``?ns=``."""
    scene = make_scene(twist_regproxy, registry)
    pulled(scene, containerd, hosts, tmp_path / "hosts")
    assert scene.tag_gets() == 1
