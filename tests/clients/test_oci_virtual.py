"""skopeo, podman, dockerd and containerd with a virtual repository: what others publish and what they push, by one name."""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from attrs import frozen

from tests.clients.test_oci_push import contents, layout, root_file, storage
from tests.fakes.process import Regproxy
from tests.fakes.pushing import Client, images
from tests.fakes.registry import Registry
from tests.fakes.registry_clients import Containerd, Dockerd
from tests.fakes.registry_image import Image, build_image
from tests.fakes.registry_scene import run_client
from tests.wire.test_life import wait_until
from tests.wire.test_virtual_images import remote, virtual

pytestmark = pytest.mark.client("docker-registry")

NAME = "library/base"
DEPLOYS = 'defaultDeploymentRepo = "mine"\nsharedNamesPattern = "library/**"'
PLAIN = ["--src-tls-verify=false", "--dest-tls-verify=false"]


@frozen
class Scene:
    """A registry that wants tokens, and has an image; and a server that shows it and a local repository as one.

    Attributes:
        registry: what it has is there as ``hub``, as ``all`` and, with a remote that is down, as ``more``.
    """

    registry: Registry
    proxy: Regproxy
    image: Image

    def reference(self, name: str, tag: str, key: str = "all") -> str:
        """As engines know an image."""
        return f"127.0.0.1:{self.proxy.port}/{key}/{name}:{tag}"

    def is_held(self, name: str, tag: str) -> bool:
        """Whether the local repository has it."""
        return Client(self.proxy, name, "/v2/mine").ask("HEAD", f"manifests/{tag}").status == 200


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One for all."""
    image = build_image("base", big=1 << 20)
    with Registry(tmp_path_factory.mktemp("upstream") / "registry") as registry:
        registry.push(NAME, "1", image)
        tables = [images("mine"), registry.remote("hub"), remote("down", "http://127.0.0.1:9")]
        tables += [virtual("all", "hub", "mine", further=DEPLOYS), virtual("more", "down", "hub", "mine", further=DEPLOYS)]
        proxy = Regproxy(tmp_path_factory.mktemp("proxy"), "\n".join(tables))
        proxy.start()
        try:
            yield Scene(registry, proxy, image)
        finally:
            proxy.close()


@pytest.mark.client("skopeo")
def test_skopeo(scene: Scene, tmp_path: Path) -> None:
    """A remote's image, a new one while another remote is down, and one whose layers only the remote has; all platforms."""
    source = layout(tmp_path / "source", scene.image)
    theirs = f"docker://{scene.reference(NAME, '1', 'more')}"
    patched = f"docker://{scene.reference(NAME, 'skopeo', 'more')}"
    run_client(["skopeo", "copy", "--all", *PLAIN, f"oci:{source}:1", patched])
    assert scene.is_held(NAME, "skopeo")
    wait_until(lambda: '"PUT","path":"/v2/more/library/base/manifests/skopeo"' in scene.proxy.log)
    assert '"POST","path":"/v2/more/library/base/blobs/uploads/"' not in scene.proxy.log
    run_client(["skopeo", "copy", "--all", *PLAIN, theirs, f"oci:{tmp_path / 'theirs'}:1"])
    assert contents(source) == contents(tmp_path / "theirs")
    ours = layout(tmp_path / "ours", build_image("skopeo"))
    mine = f"docker://{scene.reference('team/app', '1', 'more')}"
    run_client(["skopeo", "copy", "--all", *PLAIN, f"oci:{ours}:1", mine])
    for reference, expected in ((mine, ours), (patched, source)):
        back = tmp_path / expected.name / "back"
        run_client(["skopeo", "copy", "--all", *PLAIN, reference, f"oci:{back}:1"])
        assert contents(expected) == contents(back)
    listed = json.loads(run_client(["skopeo", "list-tags", "--tls-verify=false", theirs.rpartition(":")[0]]))
    assert {"1", "skopeo"} <= set(listed["Tags"])


@pytest.mark.client("podman")
def test_podman(scene: Scene, tmp_path: Path) -> None:
    """Pushes one of its own, and pulls it and a remote's."""
    with TemporaryDirectory(prefix="rp") as folder:  # podman wants a --runroot of at most 50 characters
        podman = storage("podman", Path(folder))
        reference = scene.reference("team/podman", "1")
        run_client([*podman, "import", root_file(tmp_path), reference])
        identity = run_client([*podman, "inspect", "--format", "{{.Id}}", reference])
        run_client([*podman, "push", "--tls-verify=false", reference])
        run_client([*podman, "rmi", "--all", "--force"])
        run_client([*podman, "pull", "--tls-verify=false", reference])
        assert identity == run_client([*podman, "inspect", "--format", "{{.Id}}", reference])
        run_client([*podman, "pull", "--tls-verify=false", scene.reference(NAME, "1")])
        run_client([*podman, "rmi", "--all", "--force"])


@pytest.mark.client("containerd", "dockerd", "docker", "ctr")
def test_docker_and_containerd(scene: Scene, tmp_path: Path) -> None:
    """What docker pulled it pushes on without sending a layer; containerd pushes its own while a remote is down."""
    with (
        Containerd(tmp_path / "containerd") as containerd,
        Dockerd(tmp_path / "dockerd", containerd=containerd.socket) as dockerd,
    ):
        theirs = scene.reference(NAME, "1")
        assert f"Digest: {scene.image.index.digest}" in run_client(dockerd.docker("pull", theirs))
        for name, tag, word in ((NAME, "docker", "Layer already exists"), ("team/docker", "1", "Mounted from all/library/base")):
            ours = scene.reference(name, tag)
            run_client(dockerd.docker("tag", theirs, ours))
            pushed = run_client(dockerd.docker("push", ours))
            assert (2, 0) == (pushed.count(word), pushed.count(": Pushed"))
            assert scene.is_held(name, tag)
        run_client(dockerd.docker("rmi", "--force", theirs, scene.reference(NAME, "docker"), ours))
        run_client(dockerd.docker("pull", ours))
        run_client(dockerd.docker("rmi", ours))
        image = build_image("containerd")
        with tarfile.open(tmp_path / "image.tar", "w") as archive:
            archive.add(layout(tmp_path / "source", image), arcname=".")
        reference = scene.reference("team/containerd", "1", "more")
        base = ["images", "import", "--no-unpack", "--all-platforms", "--base-name", reference.rpartition(":")[0]]
        run_client(containerd.ctr(*base, str(tmp_path / "image.tar")))
        run_client(containerd.ctr("images", "push", "--plain-http", reference))
        run_client(containerd.ctr("images", "rm", "--sync", reference))
        for each, digest in ((reference, image.index.digest), (theirs, scene.image.index.digest)):
            run_client(containerd.ctr("images", "pull", "--plain-http", "--snapshotter", "native", "--all-platforms", each))
            assert digest in run_client(containerd.ctr("images", "ls", f"name=={each}"))
