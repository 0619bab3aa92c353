"""dockerd pulls through regproxy: by its address, and as its registry mirror, with and without the registry."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.process import Regproxy
from tests.fakes.registry import Registry
from tests.fakes.registry_clients import Containerd, Dockerd
from tests.fakes.registry_scene import KEY, NAME, TAG, make_scene, run_client

pytestmark = pytest.mark.client("docker-registry", "containerd", "dockerd", "docker")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """An upstream."""
    with Registry(tmp_path / "registry") as running:
        yield running


def pulled(dockerd: Dockerd, reference: str, digest: str) -> None:
    """Pull, check the digest that the engine recorded, and remove the image with all its layers."""
    assert f"Digest: {digest}" in run_client(dockerd.docker("pull", reference))
    assert digest in run_client(dockerd.docker("inspect", "--format", "{{.RepoDigests}}", reference))
    run_client(dockerd.docker("rmi", reference))


def test_pulls_and_pulls_again_without_the_registry(
    tmp_path: Path, registry: Registry, twist_regproxy: Callable[..., Regproxy]
) -> None:
    """By host, key and name; and by bare name through the mirror, which is the default repository."""
    scene = make_scene(twist_regproxy, registry, "retrievalCachePeriodSecs = 0")
    digest = scene.image.index.digest
    with (
        Containerd(tmp_path / "containerd") as containerd,
        Dockerd(tmp_path / "dockerd", containerd=containerd.socket, mirror=f"http://{scene.host}") as dockerd,
    ):
        pulled(dockerd, f"{scene.host}/{KEY}/{NAME}:{TAG}", digest)
        assert scene.tag_gets() == 1
        assert registry.gets(f"/manifests/{digest}") == []
        registry.stop()
        pulled(dockerd, f"{scene.host}/{KEY}/{NAME}:{TAG}", digest)
        pulled(dockerd, f"{NAME.removeprefix('library/')}:{TAG}", digest)
