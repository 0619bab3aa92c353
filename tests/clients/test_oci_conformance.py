"""The OCI distribution specification's own conformance program, against a local, a virtual and a remote repository."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.clients import find_program
from tests.fakes.process import Finished, Regproxy, run
from tests.fakes.pushing import Client, Start, images
from tests.fakes.registry import Registry
from tests.fakes.registry_image import build_image
from tests.wire.test_virtual_images import virtual

pytestmark = pytest.mark.client("oci-conformance")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """An upstream."""
    with Registry(tmp_path / "registry") as running:
        yield running


async def conformance(regproxy: Regproxy, folder: Path, **settings: str) -> Finished:
    """Run it."""
    program = find_program("oci-conformance")
    assert program is not None
    env = {"OCI_REGISTRY": f"127.0.0.1:{regproxy.port}", "OCI_TLS": "disabled", "OCI_RESULTS_DIR": str(folder / "results")}
    return await run([program], env=env | settings, cwd=folder)


def passed(done: Finished) -> set[str]:
    """The lines of the summary that say Pass; fails with what went wrong if anything did."""
    found = dict(re.findall(r"(?m)^  ([\w +-]+?)\.{2,}: +(\w+)$", done.output))
    troubles = [line for line in done.output.splitlines() if "FAIL" in line or line.strip().startswith("- ")]
    assert "\nOCI Conformance Result: Pass\n" in done.output, "\n".join([*troubles, done.output[-1500:]])
    assert "FAIL" not in found.values()
    return {name for name, word in found.items() if word == "Pass"}


@pytest.mark.client("docker-registry")
@pytest.mark.parametrize(("version", "key"), [("1.1", "images"), ("dev", "images"), ("dev", "all")])
async def test_what_is_pushed(twist_regproxy: Start, registry: Registry, tmp_path: Path, version: str, key: str) -> None:
    """All that a registry does, in all forms of content, of the specification and of what becomes the next one; through a
    virtual repository, too.
    """
    several = virtual("all", "hub", "images", further='defaultDeploymentRepo = "images"')
    regproxy = twist_regproxy(images() + registry.remote("hub") + several)
    done = await conformance(regproxy, tmp_path, OCI_VERSION=version, OCI_REPO1=f"{key}/one", OCI_REPO2=f"{key}/a/two")
    names = passed(done)
    assert done.code == 0
    apis = {"Tag listing", "Blob push", "Blob chunked", "Blob streaming", "Blob mount", "Blob anonymous mount", "Blob delete"}
    apis |= {"Manifest put by tag", "Manifest put with subject", "Manifest delete", "Referrers", "Ping"}
    data = {"Image", "Nested Index", "Missing Subject", "Image with Large Manifest", "Digest Algorithm sha512", "Blobs sha512"}
    if version == "dev":
        apis |= {"Blob upload cancel", "Manifest put with tag params"}
    assert apis | data <= names


@pytest.mark.client("docker-registry")
async def test_remote(twist_regproxy: Start, registry: Registry, tmp_path: Path) -> None:
    """What a registry that is only read from has to do.

    Of such a one the program fails to write its last report file: what counts is what it has printed by then.
    """
    image = build_image()
    registry.push("library/app", "1", image)
    regproxy = twist_regproxy(registry.remote("hub"))
    settings = {
        "OCI_API_PUSH": "false",
        "OCI_API_BLOBS_DELETE": "false",
        "OCI_API_MANIFESTS_DELETE": "false",
        "OCI_API_TAGS_DELETE": "false",
        "OCI_REPO1": "hub/library/app",
        "OCI_RO_DATA_TAGS": "1",
        "OCI_RO_DATA_MANIFESTS": " ".join(each.digest for each in image.manifests),
        "OCI_RO_DATA_BLOBS": " ".join(image.blobs),
    }
    names = passed(await conformance(regproxy, tmp_path, **settings))
    assert {"Tag listing", "Blob get", "Blob head", "Manifest get by tag", "Manifest get by digest"} <= names
    assert 405 == Client(regproxy, root="/v2/hub", name="library/app").begin().status
