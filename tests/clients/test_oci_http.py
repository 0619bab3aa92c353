"""The whole of regproxy in front of a real registry, seen by plain HTTP: what no engine shows when it pulls."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from attrs import frozen

from tests.fakes.process import Regproxy
from tests.fakes.registry import Registry
from tests.fakes.registry_image import INDEX, Stored, build_image, build_signature, digest_of
from tests.fakes.registry_scene import KEY, NAME, TAG, Scene, make_scene

pytestmark = pytest.mark.client("docker-registry")

BIG = 3 << 20


@frozen
class Reply:
    """What came back, whatever the status."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The code of an error."""
        return str(json.loads(self.body)["errors"][0]["code"])


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """An upstream."""
    with Registry(tmp_path / "registry") as running:
        yield running


def ask(scene: Scene, path: str, method: str = "GET", **headers: str) -> Reply:
    """Ask below the image's address. ``IncompleteRead`` for a response that was cut."""
    request = urllib.request.Request(f"{scene.proxy.base_url}/v2/{KEY}/{NAME}/{path}", method=method, headers=headers)
    try:
        answer = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        found = {name.lower(): value for name, value in answer.headers.items()}
        return Reply(answer.status, found, answer.read())


def flip_bit(path: Path) -> None:
    """Damage a file in its middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_head_of_a_cold_blob_downloads_nothing(registry: Registry, twist_regproxy: Callable[..., Regproxy]) -> None:
    """Length and digest come from upstream's HEAD."""
    scene = make_scene(twist_regproxy, registry)
    layer = scene.image.layers[0][1]
    reply = ask(scene, f"blobs/{layer}", "HEAD")
    assert (200, str(len(scene.image.blobs[layer])), layer) == (
        reply.status,
        reply.headers["content-length"],
        reply.headers["docker-content-digest"],
    )
    assert registry.gets("/blobs/") == []
    assert f"repository:{NAME}:pull" in registry.tokens.scopes


def test_cold_range(registry: Registry, twist_regproxy: Callable[..., Regproxy]) -> None:
    """206 from the fill that it begins; the rest of the blob is then there."""
    scene = make_scene(twist_regproxy, registry, image=build_image(big=BIG))
    layer = scene.image.layers[0][1]
    data = scene.image.blobs[layer]
    reply = ask(scene, f"blobs/{layer}", Range="bytes=1000-1999")
    assert (206, data[1000:2000]) == (reply.status, reply.body)
    assert f"bytes 1000-1999/{len(data)}" == reply.headers["content-range"]
    assert data == ask(scene, f"blobs/{layer}").body
    assert len(registry.gets(f"/blobs/{layer}")) == 1


def test_many_clients_of_one_cold_layer(registry: Registry, twist_regproxy: Callable[..., Regproxy]) -> None:
    """Upstream is asked once."""
    scene = make_scene(twist_regproxy, registry, image=build_image(big=BIG))
    layer = scene.image.layers[0][1]
    with ThreadPoolExecutor(20) as threads:
        replies = list(threads.map(lambda _: ask(scene, f"blobs/{layer}"), range(20)))
    assert {(200, layer)} == {(reply.status, digest_of(reply.body)) for reply in replies}
    assert len(registry.gets(f"/blobs/{layer}")) == 1


def test_flipped_bit_in_a_layer(registry: Registry, twist_regproxy: Callable[..., Regproxy]) -> None:
    """A layer that is not what its digest says never arrives in full, and is not kept."""
    scene = make_scene(twist_regproxy, registry, image=build_image(big=BIG))
    layer = scene.image.layers[0][1]
    place = registry.blob_file(layer)
    flip_bit(place)
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        ask(scene, f"blobs/{layer}")
    place.write_bytes(scene.image.blobs[layer])
    assert layer == digest_of(ask(scene, f"blobs/{layer}").body)


def test_flipped_bit_in_a_small_blob(registry: Registry, twist_regproxy: Callable[..., Regproxy]) -> None:
    """What is short enough to be checked first is a clean error."""
    scene = make_scene(twist_regproxy, registry)
    layer = scene.image.layers[0][0]
    flip_bit(registry.blob_file(layer))
    reply = ask(scene, f"blobs/{layer}")
    assert (reply.status, reply.code) == (502, "UNKNOWN")
    registry.blob_file(layer).write_bytes(scene.image.blobs[layer])
    assert layer == digest_of(ask(scene, f"blobs/{layer}").body)


def test_tag_that_moves(registry: Registry, twist_regproxy: Callable[..., Regproxy]) -> None:
    """A stale tag costs a HEAD while it stays, and one GET when it has moved."""
    scene = make_scene(twist_regproxy, registry, "retrievalCachePeriodSecs = 0")
    first = [ask(scene, f"manifests/{TAG}").headers["docker-content-digest"] for _ in range(3)]
    assert [scene.image.index.digest] * 3 == first
    heads = [each for each in registry.accesses() if (each.method, each.path) == ("HEAD", f"/v2/{NAME}/manifests/{TAG}")]
    assert (scene.tag_gets(), len(heads)) == (1, 2)
    other = build_image("two")
    registry.push(NAME, TAG, other)
    reply = ask(scene, f"manifests/{TAG}")
    assert (other.index.body, INDEX) == (reply.body, reply.headers["content-type"])
    assert scene.tag_gets() == 2
    assert scene.image.index.body == ask(scene, f"manifests/{scene.image.index.digest}").body


def test_referrers_of_a_registry_without_them(registry: Registry, twist_regproxy: Callable[..., Regproxy]) -> None:
    """The fallback tag is read, its signature can be pulled; where there is none, the list is empty."""
    scene = make_scene(twist_regproxy, registry)
    subject = scene.image.index
    signature, blobs = build_signature(subject)
    for digest, data in blobs.items():
        registry.push_blob(NAME, digest, data)
    registry.push_manifest(NAME, signature.digest, signature)
    entry = signature.descriptor(artifactType="application/vnd.example.signature")
    fallback = Stored(INDEX, json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).encode())
    registry.push_manifest(NAME, subject.digest.replace(":", "-"), fallback)
    reply = ask(scene, f"referrers/{subject.digest}?artifactType=application/vnd.example.signature")
    assert (200, INDEX, [entry]) == (reply.status, reply.headers["content-type"], json.loads(reply.body)["manifests"])
    assert signature.body == ask(scene, f"manifests/{signature.digest}").body
    reply = ask(scene, f"referrers/{signature.digest}")
    assert (reply.status, json.loads(reply.body)["manifests"]) == (200, [])


def test_refusals(registry: Registry, twist_regproxy: Callable[..., Regproxy]) -> None:
    """What does not exist, and what is nonsense."""
    scene = make_scene(twist_regproxy, registry)
    nothing = digest_of(b"nothing")
    for path, expected in {
        "manifests/none": (404, "MANIFEST_UNKNOWN"),
        f"manifests/{nothing}": (404, "MANIFEST_UNKNOWN"),
        f"blobs/{nothing}": (404, "BLOB_UNKNOWN"),
        "blobs/sha256:short": (400, "DIGEST_INVALID"),
    }.items():
        reply = ask(scene, path)
        assert expected == (reply.status, reply.code), path


def test_wrong_password(registry: Registry, twist_regproxy: Callable[..., Regproxy]) -> None:
    """The repository's own credentials are wrong: 403 and no challenge, for the client cannot help it."""
    registry.push(NAME, TAG, build_image())
    proxy = twist_regproxy(registry.remote(KEY).replace("correct horse", "wrong horse"))
    reply = ask(Scene(registry, proxy, build_image()), f"manifests/{TAG}")
    assert (reply.status, reply.code, reply.headers.get("www-authenticate")) == (403, "DENIED", None)


def test_nothing_cached_and_no_registry(registry: Registry, twist_regproxy: Callable[..., Regproxy]) -> None:
    """An outage is an outage, never a 404."""
    scene = make_scene(twist_regproxy, registry)
    registry.stop()
    for path in (f"manifests/{TAG}", f"blobs/{scene.image.layers[0][0]}", "tags/list", f"referrers/{scene.image.index.digest}"):
        reply = ask(scene, path)
        assert (reply.status, reply.code) == (503, "UNAVAILABLE"), path
