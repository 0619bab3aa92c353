"""skopeo, podman, buildah, dockerd and containerd push into a local repository, and pull back what they pushed."""

import io
import json
import random
import tarfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.fakes.deploying import ask
from tests.fakes.process import Regproxy, run
from tests.fakes.pushing import Client, Start, images
from tests.fakes.registry_clients import Containerd, Dockerd
from tests.fakes.registry_image import Image, build_image
from tests.fakes.registry_scene import run_client
from tests.wire.test_life import wait_until
from tests.wire.test_repositories import administrator

REFERENCE = "images/team/app:1"


@pytest.fixture
def regproxy(twist_regproxy: Start) -> Regproxy:
    """A server with two local repositories, and one that is nearly full from the beginning."""
    return twist_regproxy(images() + images("others", package_type="oci") + images("small", 'maxBytes = "100KB"'))


def host(regproxy: Regproxy) -> str:
    """As references begin."""
    return f"127.0.0.1:{regproxy.port}"


def layout(folder: Path, image: Image) -> Path:
    """An image on the disk, as ``skopeo`` and ``ctr`` read it."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    every = {**image.blobs, **{each.digest: each.body for each in (*image.manifests, image.index)}}
    for digest, data in every.items():
        (blobs / digest.removeprefix("sha256:")).write_bytes(data)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    listed = image.index.descriptor(annotations={"org.opencontainers.image.ref.name": "1"})
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [listed]}))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """The blobs of an image on the disk."""
    return {path.name: path.read_bytes() for path in (folder / "blobs" / "sha256").iterdir()}


def root_file(folder: Path) -> Path:
    """A file system as a tar."""
    path = folder / "root.tar"
    data = random.Random(folder.name).randbytes(300_000)
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo("data/noise")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return path


@pytest.mark.client("skopeo")
def test_skopeo(regproxy: Regproxy, tmp_path: Path) -> None:
    """All platforms, there and back, after a kill, copied on to another repository, listed, inspected and deleted."""
    source = layout(tmp_path / "source", build_image(big=2 << 20))
    here, there = f"docker://{host(regproxy)}/{REFERENCE}", f"docker://{host(regproxy)}/others/copy/app:2"
    plain = ["--src-tls-verify=false", "--dest-tls-verify=false"]
    run_client(["skopeo", "copy", "--all", *plain, f"oci:{source}:1", here])
    regproxy.restart(kill=True)
    run_client(["skopeo", "copy", "--all", *plain, here, f"oci:{tmp_path / 'back'}:1"])
    assert contents(source) == contents(tmp_path / "back")
    run_client(["skopeo", "copy", "--all", *plain, here, there])
    run_client(["skopeo", "copy", "--all", *plain, there, f"oci:{tmp_path / 'copied'}:1"])
    assert contents(source) == contents(tmp_path / "copied")
    began = '"POST","path":"/v2/others/copy/app/blobs/uploads/"'
    wait_until(lambda: began in (regproxy.folder / "log").read_text())
    assert json.loads(run_client(["skopeo", "list-tags", "--tls-verify=false", here.rpartition(":")[0]]))["Tags"] == ["1"]
    assert json.loads(run_client(["skopeo", "inspect", "--tls-verify=false", "--raw", here]))["schemaVersion"] == 2
    run_client(["skopeo", "delete", "--tls-verify=false", here])
    assert 404 == Client(regproxy).ask("HEAD", "manifests/1").status
    run_client(["skopeo", "copy", "--all", *plain, there, f"oci:{tmp_path / 'again'}:1"])


@pytest.mark.client("skopeo")
def test_skopeo_pulls_what_was_promoted(regproxy: Regproxy, tmp_path: Path) -> None:
    """By tag and by digest from where it is now, and no more from where it was; another process serves it as well."""
    source = layout(tmp_path / "source", build_image(big=2 << 20))
    here, there = f"docker://{host(regproxy)}/{REFERENCE}", f"docker://{host(regproxy)}/others/released/app"
    plain = ["--src-tls-verify=false", "--dest-tls-verify=false"]
    run_client(["skopeo", "copy", "--all", *plain, f"oci:{source}:1", here])
    wish = {"targetRepo": "others", "dockerRepository": "team/app", "targetDockerRepository": "released/app", "tag": "1"}
    promoted = ask(regproxy, "POST", "/artifactory/api/docker/images/v2/promote", json.dumps({**wish, "targetTag": "2"}))
    assert (200, b"Promotion ended successfully") == (promoted.status, promoted.body)
    regproxy.restart(kill=True)
    digest = run_client(["skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", f"{there}:2"]).strip()
    for number, reference in enumerate((f"{there}:2", f"{there}@{digest}")):
        run_client(["skopeo", "copy", "--all", *plain, reference, f"oci:{tmp_path / str(number)}:1"])
        assert contents(source) == contents(tmp_path / str(number))
    assert 404 == Client(regproxy).ask("HEAD", "manifests/1").status


@pytest.mark.client("skopeo")
def test_skopeo_converts(regproxy: Regproxy, tmp_path: Path) -> None:
    """Layers that are compressed while they are sent have no length; docker's own media types are as good."""
    source = layout(tmp_path / "source", build_image())
    here = f"docker://{host(regproxy)}/{REFERENCE}"
    run_client(["skopeo", "copy", "--src-tls-verify=false", f"oci:{source}:1", f"dir:{tmp_path / 'dir'}"])
    run_client(["skopeo", "copy", "--dest-tls-verify=false", "--format", "v2s2", f"dir:{tmp_path / 'dir'}", here])
    manifest = json.loads(run_client(["skopeo", "inspect", "--tls-verify=false", "--raw", here]))
    assert manifest["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    run_client(["skopeo", "copy", "--src-tls-verify=false", here, f"dir:{tmp_path / 'back'}"])


@pytest.mark.client("skopeo")
async def test_skopeo_shows_why_not(twist_regproxy: Start, tmp_path: Path) -> None:
    """A client that may not push, or has no room, says so in our words."""
    source = layout(tmp_path / "source", build_image(big=2 << 20))
    for text, reason in (
        ('[access]\nanonymousWrite = "never"\n' + images(), "anonymousWrite"),
        (images("images", 'maxBytes = "1MB"'), "may hold 1000000 bytes"),
    ):
        regproxy = twist_regproxy(text)
        target = f"docker://{host(regproxy)}/{REFERENCE}"
        done = await run(["skopeo", "copy", "--all", "--dest-tls-verify=false", f"oci:{source}:1", target])
        assert done.code != 0
        assert reason in done.output


@pytest.mark.client("skopeo")
async def test_skopeo_shows_whom_it_pushes_for(twist_regproxy: Start, tmp_path: Path) -> None:
    """Where a push needs a name and a pull does not, the first administrator's, whom nobody has joined yet, is shown."""
    source = layout(tmp_path / "source", build_image())
    regproxy = twist_regproxy('[access]\nanonymousWrite = "never"\n' + images())
    password = (regproxy.data_dir / "admin.password").read_text().strip()
    target = f"docker://{host(regproxy)}/{REFERENCE}"
    copy = ["skopeo", "copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false"]
    pushed = await run([*copy, "--dest-creds", f"admin:{password}", f"oci:{source}:1", target])
    assert pushed.code == 0, pushed.output
    wrong = await run([*copy, "--dest-creds", "admin:wrong", f"oci:{source}:1", target])
    assert (1, True) == (wrong.code, "password" in wrong.output)
    pulled = await run([*copy, "--src-no-creds", target, f"dir:{tmp_path / 'got'}"])
    assert pulled.code == 0, pulled.output


@pytest.mark.client("skopeo")
async def test_skopeo_shows_what_its_token_lacks(twist_regproxy: Start, tmp_path: Path) -> None:
    """Where anybody on this machine may push, a token that may only read does not; who shows nothing still may."""
    source = layout(tmp_path / "source", build_image())
    regproxy = twist_regproxy(images())
    made = administrator(regproxy)("POST", "/access/api/v1/tokens", {"scope": "artifact:images:r"})
    copy = ["skopeo", "copy", "--all", "--dest-tls-verify=false", f"oci:{source}:1", f"docker://{host(regproxy)}/{REFERENCE}"]
    refused = await run([*copy, "--dest-creds", f"admin:{made.json['access_token']}"])
    assert (1, True) == (refused.code, "admin may not write this in images" in refused.output), refused.output
    pushed = await run([*copy, "--dest-no-creds"])
    assert pushed.code == 0, pushed.output


@pytest.mark.client("podman")
def test_podman(regproxy: Regproxy, tmp_path: Path) -> None:
    """What it pushed has the same digest and id when it comes back."""
    with TemporaryDirectory(prefix="rp") as folder:  # podman wants a --runroot of at most 50 characters
        podman = storage("podman", Path(folder))
        reference = f"{host(regproxy)}/{REFERENCE}"
        run_client([*podman, "import", root_file(tmp_path), reference])
        identity = run_client([*podman, "inspect", "--format", "{{.Id}}", reference])
        run_client([*podman, "push", "--tls-verify=false", "--digestfile", tmp_path / "digest", reference])
        run_client([*podman, "rmi", "--all", "--force"])
        run_client([*podman, "pull", "--tls-verify=false", reference])
        assert identity == run_client([*podman, "inspect", "--format", "{{.Id}}", reference])
        told = Client(regproxy).ask("HEAD", "manifests/1").headers["docker-content-digest"]
        assert (tmp_path / "digest").read_text() == told
        run_client([*podman, "rmi", "--all", "--force"])


@pytest.mark.client("buildah")
def test_buildah(regproxy: Regproxy, tmp_path: Path) -> None:
    """An image that is built here, pushed and pulled; and a manifest list of it."""
    with TemporaryDirectory(prefix="rp") as folder:
        buildah = storage("buildah", Path(folder))
        reference = f"{host(regproxy)}/{REFERENCE}"
        container = run_client([*buildah, "from", "scratch"]).strip()
        run_client([*buildah, "add", container, root_file(tmp_path)])
        run_client([*buildah, "commit", container, reference])
        run_client([*buildah, "push", "--tls-verify=false", "--digestfile", tmp_path / "digest", reference])
        run_client([*buildah, "manifest", "create", "both"])
        run_client([*buildah, "manifest", "add", "--tls-verify=false", "both", f"docker://{reference}"])
        listed = f"docker://{host(regproxy)}/images/team/app:list"
        run_client([*buildah, "manifest", "push", "--tls-verify=false", "--all", "both", listed])
        run_client([*buildah, "rm", "--all"])
        run_client([*buildah, "rmi", "--all", "--force"])
        run_client([*buildah, "pull", "--tls-verify=false", reference])
        digest = (tmp_path / "digest").read_text()
        assert digest in run_client([*buildah, "images", "--digests"])
        index = Client(regproxy).ask("GET", "manifests/list").json
        assert [digest] == [each["digest"] for each in index["manifests"]]


@pytest.mark.client("containerd", "dockerd", "docker")
async def test_docker(regproxy: Regproxy, tmp_path: Path) -> None:
    """The digest that docker was told when it pushed is the one that it pulls. What there is no room for is not tried again."""
    reference = f"{host(regproxy)}/{REFERENCE}"
    with (
        Containerd(tmp_path / "containerd") as containerd,
        Dockerd(tmp_path / "dockerd", containerd=containerd.socket) as dockerd,
    ):
        run_client(dockerd.docker("import", str(root_file(tmp_path)), reference))
        identity = run_client(dockerd.docker("inspect", "--format", "{{.Id}}", reference))
        pushed = run_client(dockerd.docker("push", reference))
        digest = Client(regproxy).ask("HEAD", "manifests/1").headers["docker-content-digest"]
        assert f"digest: {digest}" in pushed
        run_client(dockerd.docker("tag", reference, f"{host(regproxy)}/images/team/second:1"))
        assert "Mounted from images/team/app" in run_client(dockerd.docker("push", f"{host(regproxy)}/images/team/second:1"))
        small = f"{host(regproxy)}/small/app:1"
        run_client(dockerd.docker("tag", reference, small))
        refused = await run(dockerd.docker("push", small))
        assert refused.code != 0
        assert "denied: repository small may hold 100000 bytes" in refused.output
        assert "Retrying" not in refused.output
        run_client(dockerd.docker("rmi", "--force", reference, f"{host(regproxy)}/images/team/second:1", small))
        assert f"Digest: {digest}" in run_client(dockerd.docker("pull", reference))
        assert identity == run_client(dockerd.docker("inspect", "--format", "{{.Id}}", reference))


@pytest.mark.client("containerd", "ctr")
def test_containerd(regproxy: Regproxy, tmp_path: Path) -> None:
    """Every platform, by one PUT a blob."""
    image = build_image()
    source = layout(tmp_path / "source", image)
    with tarfile.open(tmp_path / "image.tar", "w") as archive:
        archive.add(source, arcname=".")
    reference = f"{host(regproxy)}/{REFERENCE}"
    with Containerd(tmp_path / "containerd") as containerd:
        base = ["images", "import", "--no-unpack", "--all-platforms", "--base-name", reference.rpartition(":")[0]]
        run_client(containerd.ctr(*base, str(tmp_path / "image.tar")))
        run_client(containerd.ctr("images", "push", "--plain-http", "--allow-non-distributable-blobs", reference))
        run_client(containerd.ctr("images", "rm", "--sync", reference))
        assert run_client(containerd.ctr("content", "ls", "-q")).split() == []
        run_client(containerd.ctr("images", "pull", "--plain-http", "--snapshotter", "native", "--all-platforms", reference))
        assert image.index.digest in run_client(containerd.ctr("images", "ls", f"name=={reference}"))
        assert set(image.blobs) <= set(run_client(containerd.ctr("content", "ls", "-q")).split())


def storage(program: str, folder: Path) -> Sequence[str | Path]:
    """A client with all of its state in one folder."""
    return [program, "--root", folder / "root", "--runroot", folder / "run", "--storage-driver", "vfs"]
