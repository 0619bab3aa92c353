"""skopeo pulls through regproxy: every platform, by every form of address that it can use, with and without the registry."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.process import Regproxy
from tests.fakes.registry import Registry
from tests.fakes.registry_image import digest_of
from tests.fakes.registry_scene import KEY, NAME, TAG, Scene, make_scene, run_client

pytestmark = pytest.mark.client("docker-registry", "skopeo")

_MIRROR = """\
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


def copied(scene: Scene, source: str, target: Path, *options: str) -> None:
    """Copy an image with all platforms, and check every byte of it."""
    run_client(["skopeo", *options, "copy", "--all", "--src-tls-verify=false", f"docker://{source}", f"dir:{target}"])
    assert scene.image.index.digest == digest_of((target / "manifest.json").read_bytes())
    for digest, data in scene.image.blobs.items():
        assert digest == f"sha256:{hashlib.sha256((target / digest.removeprefix('sha256:')).read_bytes()).hexdigest()}", len(data)


def test_pulls_and_pulls_again_without_the_registry(
    tmp_path: Path, registry: Registry, twist_regproxy: Callable[..., Regproxy]
) -> None:
    """Once filled, tag, manifests and layers come from the cache, after a restart too; each was fetched once."""
    scene = make_scene(twist_regproxy, registry, "retrievalCachePeriodSecs = 0")
    copied(scene, f"{scene.host}/{KEY}/{NAME}:{TAG}", tmp_path / "first")
    copied(scene, f"{scene.host}/{KEY}/{NAME}:{TAG}", tmp_path / "second")
    fetched = [each.path for each in registry.gets("/v2/library")]
    assert len(set(fetched)) == len(fetched) == 1 + len(scene.image.manifests) + len(scene.image.blobs)
    registry.stop()
    copied(scene, f"{scene.host}/{KEY}/{NAME}:{TAG}", tmp_path / "third")
    scene.proxy.restart()
    copied(scene, f"{scene.host}/{KEY}/{NAME}:{TAG}", tmp_path / "fourth")
    copied(scene, f"{scene.host}/{KEY}/{NAME}@{scene.image.index.digest}", tmp_path / "fifth")


def test_registry_that_swallows_everything(tmp_path: Path, registry: Registry, twist_regproxy: Callable[..., Regproxy]) -> None:
    """A registry that accepts connections and never answers costs the budget, and no pull."""
    scene = make_scene(twist_regproxy, registry, "retrievalCachePeriodSecs = 0")
    copied(scene, f"{scene.host}/{KEY}/{NAME}:{TAG}", tmp_path / "first")
    registry.freeze()
    try:
        copied(scene, f"{scene.host}/{KEY}/{NAME}:{TAG}", tmp_path / "second")
    finally:
        registry.thaw()


def test_mirror_of_docker_hub(tmp_path: Path, registry: Registry, twist_regproxy: Callable[..., Regproxy]) -> None:
    """registries.conf sends docker.io to a repository; nothing reaches the real one."""
    scene = make_scene(twist_regproxy, registry)
    conf = tmp_path / "registries.conf"
    conf.write_text(_MIRROR.format(host=scene.host, key=KEY))
    copied(scene, f"docker.io/{NAME}:{TAG}", tmp_path / "copy", "--registries-conf", str(conf))
    assert scene.tag_gets() == 1


def test_lists_tags(registry: Registry, twist_regproxy: Callable[..., Regproxy]) -> None:
    """The list has the tags of upstream."""
    scene = make_scene(twist_regproxy, registry)
    registry.push_manifest(NAME, "2", scene.image.index)
    printed = run_client(["skopeo", "list-tags", "--tls-verify=false", f"docker://{scene.host}/{KEY}/{NAME}"])
    assert '"1"' in printed
    assert '"2"' in printed
