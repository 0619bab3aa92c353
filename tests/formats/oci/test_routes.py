"""The registry API on a real socket: addresses, headers, lists, refusals."""

import json
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import pytest_twisted

from regproxy.model.digest import Digest
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.repo.interface import Missing, Origin, Refused, Unavailable
from tests.formats.oci.scene import CannedFind, Client, Reply, registry, serving

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = b'{"schemaVersion": 2}'
DIGEST = Digest.of(MANIFEST)
BLOB = Digest.of(b"layer")
HEAD = Head(media_type=INDEX, etag=f'"{DIGEST}"')
OTHER = Digest.of(b"other")

TABLE = {
    "app/1/manifest.json": (HEAD, MANIFEST),
    "library/app/1/manifest.json": (HEAD, MANIFEST),
    f"app/{DIGEST}/manifest.json": (HEAD, MANIFEST),
    f"app/_layers/sha256__{BLOB.hex}": (Head(media_type="application/octet-stream", etag=f'"{BLOB}"'), b"layer"),
    "app/_tags/all.json": (
        Head(kept=Headers.of(link='</v2/app/tags/list?last=2>; rel="next"')),
        b'{"name":"x","tags":["1","2"]}',
    ),
    "broken/_tags/all.json": (Head(), b"<html>"),
    "deep/_tags/all.json": (Head(), b'{"tags":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    f"deep/_referrers/sha256__{DIGEST.hex}/all.json": (Head(), b'{"manifests":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    f"app/_referrers/sha256__{DIGEST.hex}/all.json": (
        Head(),
        b'{"manifests":[{"digest":"a","artifactType":"sig"},{"digest":"b"}]}',
    ),
    f"app/sha256-{OTHER.hex}/manifest.json": (Head(media_type=INDEX), b'{"manifests":[{"digest":"c"}]}'),
    "away/1/manifest.json": Unavailable(503, "quay.io is not available", 9),
    "away/_tags/all.json": Unavailable(504, "quay.io is slow"),
    f"away/_referrers/sha256__{DIGEST.hex}/all.json": Unavailable(503, "quay.io is not available"),
    "limited/1/manifest.json": Unavailable(429, "quay.io limits our rate", 7),
    "secret/1/manifest.json": Refused(403, "quay.io refuses it"),
    "gone/1/manifest.json": Missing("quay.io does not have it"),
}


def opened(**find: Any) -> AbstractAsyncContextManager[Client]:
    """A server with the repositories ``hub`` (docker) and ``files`` (generic)."""
    servings = {"hub": registry(table=TABLE), "files": registry("files", package_type="generic")}
    return serving(CannedFind(servings, **find))


def code_of(reply: Reply) -> tuple[int, str]:
    """Status and code of an error."""
    (error,) = json.loads(reply.body)["errors"]
    assert reply.headers["content-type"] == "application/json"
    assert error["message"]
    return reply.status, error["code"]


@pytest_twisted.ensureDeferred
async def test_ping() -> None:
    """Every root of the API says that it is one."""
    async with opened() as client:
        for path in ("/v2/", "/v2", "/v2/hub", "/v2/hub/", "/hub/v2/", "/hub/v2", "/api/docker/hub/v2/", "/artifactory/v2/"):
            reply = await client.ask(path)
            assert (reply.status, reply.body) == (200, b"{}"), path
            assert (reply.headers["docker-distribution-api-version"], reply.headers["server"]) == ("registry/2.0", "regproxy")


@pytest_twisted.ensureDeferred
async def test_every_form_of_address() -> None:
    """The same manifest by all of them; the repository key wins over ``ns``, ``ns`` over the default repository."""
    async with opened(namespaces={"docker.io": "hub"}, default_key="hub") as client:
        for path in (
            "/v2/hub/app/manifests/1",
            "/v2/hub/app/manifests/1?ns=nowhere.example",
            "/api/docker/hub/v2/app/manifests/1",
            "/artifactory/api/docker/hub/v2/app/manifests/1",
            "/hub/v2/app/manifests/1",
            "/v2/app/manifests/1?ns=docker.io",
            "/v2/app/manifests/1",
            "/v2/library/app/manifests/1",
            f"/v2/hub/app/manifests/{str(DIGEST).replace(':', '%3A')}",
            "/hub/app/1/manifest.json",
            f"/hub/app/{DIGEST}/manifest.json",
        ):
            reply = await client.ask(path)
            assert (reply.status, reply.body) == (200, MANIFEST), path
            assert (INDEX, str(DIGEST)) == (reply.headers["content-type"], reply.headers["docker-content-digest"])
        reply = await client.ask("/v2/app/manifests/1?ns=docker.io")
        assert reply.headers["oci-namespace"] == "docker.io"


@pytest_twisted.ensureDeferred
async def test_an_image_of_a_host_that_is_not_mapped() -> None:
    """Is not one of the same name that the default repository has; docker's mirrors mean Docker Hub, mapped or not."""
    async with opened(namespaces={"quay.io": "hub", "files.example": "files"}, default_key="hub") as client:
        for host in ("registry.example", "quay.io:444", "files.example"):
            reply = await client.ask(f"/v2/app/manifests/1?ns={host}")
            assert code_of(reply) == (404, "NAME_UNKNOWN"), host
        for host in ("quay.io", "docker.io"):
            assert (await client.ask(f"/v2/app/manifests/1?ns={host}")).status == 200


@pytest_twisted.ensureDeferred
async def test_head_and_get_agree() -> None:
    """Containerd resolves by HEAD, and needs length and digest."""
    async with opened() as client:
        for path in (
            "/v2/hub/app/manifests/1",
            f"/v2/hub/app/manifests/{DIGEST}",
            f"/v2/hub/app/blobs/{BLOB}",
            "/v2/hub/app/tags/list",
        ):
            got, head = await client.ask(path), await client.ask(path, "HEAD")
            assert (got.status, head.status, head.body) == (200, 200, b"")
            assert str(len(got.body)) == head.headers["content-length"]
            same = ("content-type", "etag", "docker-content-digest", "accept-ranges")
            assert [got.headers.get(name) for name in same] == [head.headers.get(name) for name in same]


@pytest_twisted.ensureDeferred
async def test_head_of_a_tag_brings_it_in() -> None:
    """An engine asks HEAD by tag and then GET by digest: the tag is wanted with its body, a blob is not."""
    find = CannedFind({"hub": registry(table=TABLE)})
    async with serving(find) as client:
        await client.ask("/v2/hub/app/manifests/1", "HEAD")
        await client.ask(f"/v2/hub/app/blobs/{BLOB}", "HEAD")
    repository = find.servings["hub"].repository
    assert [want.body for want in repository.wanted] == [True, False]
    assert [body.released for body in repository.bodies] == [1]


@pytest_twisted.ensureDeferred
async def test_blob() -> None:
    """Bytes, ranges, and the digest as ETag."""
    async with opened() as client:
        path = f"/v2/hub/app/blobs/{BLOB}"
        reply = await client.ask(path)
        assert (reply.status, reply.body) == (200, b"layer")
        assert (str(BLOB), f'"{BLOB}"', "bytes") == (
            reply.headers["docker-content-digest"],
            reply.headers["etag"],
            reply.headers["accept-ranges"],
        )
        assert (await client.ask(path, If_None_Match=f'"{BLOB}"')).status == 304
        unsatisfiable = await client.ask(path, Range="bytes=9-")
        assert code_of(unsatisfiable) == (416, "RANGE_INVALID")
        assert unsatisfiable.headers["content-range"] == "bytes */5"


@pytest_twisted.ensureDeferred
async def test_tags() -> None:
    """The name that was asked by, and a link to our own next page, below whatever a proxy in front adds."""
    async with opened() as client:
        reply = await client.ask("/artifactory/api/docker/hub/v2/app/tags/list")
        assert json.loads(reply.body) == {"name": "app", "tags": ["1", "2"]}
        link = '</outer/artifactory/api/docker/hub/v2/app/tags/list?last=2>; rel="next"'
        assert (link, "hit", "3") == (reply.headers["link"], reply.headers["x-regproxy-cache"], reply.headers["age"])
        assert code_of(await client.ask("/v2/hub/nothing/tags/list")) == (404, "NAME_UNKNOWN")
        for path in ("broken/tags/list", "deep/tags/list", f"deep/referrers/{DIGEST}"):
            assert code_of(await client.ask(f"/v2/hub/{path}")) == (502, "UNKNOWN")
        assert code_of(await client.ask("/v2/hub/app/tags/list?n=many")) == (400, "PAGINATION_NUMBER_INVALID")


@pytest_twisted.ensureDeferred
async def test_referrers() -> None:
    """From the API, from the fallback tag, or nothing: always an index, never a 404; an outage is an outage."""
    async with opened() as client:
        base = "/v2/hub/app/referrers/"
        reply = await client.ask(f"{base}{DIGEST}?artifactType=sig")
        assert json.loads(reply.body)["manifests"] == [{"digest": "a", "artifactType": "sig"}]
        assert (reply.headers["content-type"], reply.headers["oci-filters-applied"]) == (INDEX, "artifactType")
        reply = await client.ask(f"{base}{OTHER}")
        assert json.loads(reply.body)["manifests"] == [{"digest": "c"}]
        reply = await client.ask(f"{base}{Digest.of(b'nobody knows')}")
        assert (reply.status, reply.headers["content-type"], json.loads(reply.body)["manifests"]) == (200, INDEX, [])
        assert code_of(await client.ask(f"/v2/hub/away/referrers/{DIGEST}")) == (503, "UNAVAILABLE")


@pytest_twisted.ensureDeferred
async def test_stale_says_so() -> None:
    """Containerd and docker show the warning."""
    find = CannedFind({"hub": registry(table=TABLE)})
    find.servings["hub"].repository.origin = Origin.STALE
    async with serving(find) as client:
        for path in ("/v2/hub/app/manifests/1", "/v2/hub/app/tags/list"):
            reply = await client.ask(path)
            assert (reply.status, reply.headers["x-regproxy-cache"]) == (200, "stale")
            assert reply.headers["warning"].startswith('299 - "')


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v2/hub/gone/manifests/1", (404, "MANIFEST_UNKNOWN")),
        (f"/v2/hub/app/blobs/{OTHER}", (404, "BLOB_UNKNOWN")),
        ("/v2/hub/secret/manifests/1", (403, "DENIED")),
        ("/v2/hub/away/manifests/1", (503, "UNAVAILABLE")),
        ("/v2/hub/away/tags/list", (504, "UNKNOWN")),
        ("/v2/hub/limited/manifests/1", (429, "TOOMANYREQUESTS")),
        ("/v2/hub/app/manifests/sha256:bad", (400, "DIGEST_INVALID")),
        ("/v2/hub/APP/manifests/1", (400, "NAME_INVALID")),
        ("/v2/hub//app/manifests/1", (400, "NAME_INVALID")),
        ("/hub/v2/APP/manifests/1", (400, "NAME_INVALID")),
        ("/v2/hub/a%2Fb/manifests/1", (400, "NAME_INVALID")),
        ("/v2/hub/app/manifests/a%2Fb", (404, "MANIFEST_UNKNOWN")),
        ("/v2/hub%2Fapp/manifests/1", (400, "NAME_INVALID")),
        ("/v2/nothing/app/manifests/1", (404, "NAME_UNKNOWN")),
        ("/v2/files/app/manifests/1", (404, "NAME_UNKNOWN")),
        ("/v2/app/manifests/1?ns=docker.io", (404, "NAME_UNKNOWN")),
        ("/v2/_catalog", (404, "UNSUPPORTED")),
        ("/v2/hub/_catalog", (404, "UNSUPPORTED")),
        ("/hub/app/nothing", (404, "UNSUPPORTED")),
    ],
)
@pytest_twisted.ensureDeferred
async def test_refusals(path: str, expected: tuple[int, str]) -> None:
    """Every failure is the registry's own JSON."""
    async with opened() as client:
        reply = await client.ask(path)
        assert expected == code_of(reply)
        if reply.status == 429:
            assert reply.headers["retry-after"] == "7"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest_twisted.ensureDeferred
async def test_nothing_can_be_written(method: str) -> None:
    """405 in the registry's own shape, wherever."""
    async with opened() as client:
        for path in ("/v2/hub/app/blobs/uploads/", "/hub/v2/app/manifests/1", "/v2/", "/hub/app/1/manifest.json"):
            reply = await client.ask(path, method)
            assert code_of(reply) == (405, "UNSUPPORTED")
            assert reply.headers["allow"] == "GET, HEAD"
