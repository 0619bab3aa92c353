"""Manifests, tags, referrers, lists and deletes of local image repositories, of a real process."""

import hashlib
import json
import os
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes.deploying import ask
from tests.fakes.process import Regproxy
from tests.fakes.pushing import Client, Start, code_of, images
from tests.fakes.registry_image import INDEX, MANIFEST, Stored, build_image, build_signature, digest_of
from tests.wire.test_local import stored

FULL = os.environ.get("REGPROXY_FULL") == "1"
KILLS = 200 if FULL else 6
CONFIG = b"{}"
EMPTY = "application/vnd.oci.empty.v1+json"


@pytest.fixture
def client(twist_regproxy: Start) -> Client:
    """A client of a server with one local repository."""
    return Client(twist_regproxy(images()))


@contextmanager
def started(folder: Path) -> Iterator[Regproxy]:
    """A server for several tests."""
    regproxy = Regproxy(folder, images())
    regproxy.start()
    try:
        yield regproxy
    finally:
        regproxy.close()


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a server that every test leaves as empty as it was."""
    with started(tmp_path_factory.mktemp("empty")) as regproxy:
        yield Client(regproxy)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Regproxy]:
    """A server with an image for each test."""
    with started(tmp_path_factory.mktemp("many")) as regproxy:
        yield regproxy


@pytest.fixture
def own(many: Regproxy, request: pytest.FixtureRequest) -> Client:
    """A client of an image that no other test has to do with."""
    return Client(many, f"{request.node.name}/app")


def simple(text: str, **further: object) -> Stored:
    """A manifest without layers."""
    config = {"mediaType": EMPTY, "digest": digest_of(CONFIG), "size": 2}
    body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [], "annotations": {"text": text}, **further}
    return Stored(MANIFEST, json.dumps(body).encode())


def index_of(*manifests: Stored) -> Stored:
    """An index."""
    body = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [each.descriptor() for each in manifests]}
    return Stored(INDEX, json.dumps(body).encode())


def push_simple(client: Client, tag: str, **further: object) -> Stored:
    """Push one."""
    client.push_blob(CONFIG)
    manifest = simple(tag, **further)
    assert 201 == client.push(tag, manifest).status
    return manifest


def test_an_image_comes_back(client: Client) -> None:
    """By tag and digest, with the bytes, type and digest that it was pushed with; after a restart too."""
    image = build_image()
    client.push_image("1", image)
    client.regproxy.restart()
    for reference, expected in (("1", image.index), *((each.digest, each) for each in (image.index, *image.manifests))):
        got, head = (client.ask(method, f"manifests/{reference}") for method in ("GET", "HEAD"))
        assert (200, expected.body) == (got.status, got.body)
        for answer in (got, head):
            told = [answer.headers[name] for name in ("content-type", "content-length", "docker-content-digest", "etag")]
            assert [expected.media_type, str(len(expected.body)), expected.digest, f'"{expected.digest}"'] == told
    for digest, data in image.blobs.items():
        assert data == client.ask("GET", f"blobs/{digest}").body
    assert image.index.body == Client(client.regproxy, root="/images").ask("GET", "1/manifest.json").body
    assert 304 == client.ask("GET", "manifests/1", if_none_match=f'"{image.index.digest}"').status


def test_locations(own: Client) -> None:
    """What a 201 leads to is there."""
    own.push_blob(CONFIG)
    manifest = simple("x")
    for reference in ("tag", manifest.digest):
        pushed = own.push(reference, manifest)
        assert (201, manifest.digest) == (pushed.status, pushed.headers["docker-content-digest"])
        assert pushed.headers["location"] == f"/v2/images/{own.name}/manifests/{reference}"
        assert manifest.body == own.follow("GET", pushed).body


@pytest.mark.parametrize(
    ("body", "media_type", "expected"),
    [
        (b"", MANIFEST, (400, "MANIFEST_INVALID")),
        (b"not json", MANIFEST, (400, "MANIFEST_INVALID")),
        (b"[]", MANIFEST, (400, "MANIFEST_INVALID")),
        (b"[" * 100_000, MANIFEST, (400, "MANIFEST_INVALID")),
        (b'{"schemaVersion": 2}', MANIFEST, (400, "MANIFEST_INVALID")),
        (b'{"schemaVersion": 2}', INDEX, (400, "MANIFEST_INVALID")),
        (b'{"schemaVersion": 2, "layers": 5, "config": {}}', MANIFEST, (400, "MANIFEST_INVALID")),
        (b'{"schemaVersion": 2, "config": {"digest": "sha256:x"}}', MANIFEST, (400, "MANIFEST_INVALID")),
        (b'{"schemaVersion": 2, "config": {}, "layers": [7]}', MANIFEST, (400, "MANIFEST_INVALID")),
        (
            b'{"schemaVersion": 1, "fsLayers": []}',
            "application/vnd.docker.distribution.manifest.v1+json",
            (400, "MANIFEST_INVALID"),
        ),
        (simple("x").body, INDEX, (400, "MANIFEST_INVALID")),
        (simple("x").body, MANIFEST, (404, "MANIFEST_BLOB_UNKNOWN")),
        (index_of(simple("x")).body, INDEX, (404, "MANIFEST_BLOB_UNKNOWN")),
        (b" " * (9 << 20), MANIFEST, (413, "DENIED")),
    ],
)
def test_manifests_that_are_not_taken(empty: Client, body: bytes, media_type: str, expected: tuple[int, str]) -> None:
    """Each is refused in the specification's words, and nothing of it is there."""
    assert expected == code_of(empty.ask("PUT", "manifests/1", body, content_type=media_type))
    assert 404 == empty.ask("GET", "manifests/1").status
    assert (404, "NAME_UNKNOWN") == code_of(empty.tags())
    assert [] == stored(empty.regproxy)


def test_wrong_digests_and_names(own: Client) -> None:
    """A manifest is where its digest says, or nowhere."""
    own.push_blob(CONFIG)
    manifest = simple("x")
    assert (400, "DIGEST_INVALID") == code_of(own.push(simple("y").digest, manifest))
    assert (400, "DIGEST_INVALID") == code_of(own.push("sha256:baddigeststring", manifest))
    assert (404, "MANIFEST_UNKNOWN") == code_of(own.push(".tag", manifest))
    assert (400, "NAME_INVALID") == code_of(Client(own.regproxy, "UPPER").push("1", manifest))
    assert 404 == own.ask("GET", f"manifests/{manifest.digest}").status


def test_what_is_taken(own: Client) -> None:
    """Large ones, unknown fields, layers to be got elsewhere, a subject that is missing, nested and empty indexes, sha512."""
    own.push_blob(CONFIG)
    large = simple("x", annotations={"noise": "n" * 3_900_000})
    foreign = {"mediaType": "x/y", "digest": digest_of(b"elsewhere"), "size": 9, "urls": ["https://example.com/"]}
    manifests = [large, simple("f", layers=[foreign]), simple("u", unknown={"field": [1]})]
    manifests += [
        index_of(),
        index_of(*manifests),
        simple("data", config={**json.loads(simple("x").body)["config"], "data": "e30="}),
    ]
    for number, manifest in enumerate(manifests):
        assert 201 == own.push(f"t{number}", manifest).status
    nested = index_of(manifests[4])
    assert 201 == own.push("nested", nested).status
    assert large.body == own.ask("GET", "manifests/t0").body
    by_other = f"sha512:{hashlib.sha512(nested.body).hexdigest()}"
    assert (201, by_other) == ((pushed := own.push(by_other, nested)).status, pushed.headers["docker-content-digest"])
    got = own.ask("GET", f"manifests/{by_other}")
    assert (nested.body, by_other) == (got.body, got.headers["docker-content-digest"])
    without_type = own.ask("PUT", "manifests/plain", simple("p").body)
    assert 201 == without_type.status
    assert MANIFEST == own.ask("HEAD", "manifests/plain").headers["content-type"]


def test_tags_of_a_manifest_by_digest(own: Client) -> None:
    """One request may name any number of tags, and is told which were put."""
    own.push_blob(CONFIG)
    manifest = simple("x")
    pushed = own.ask("PUT", f"manifests/{manifest.digest}?tag=a&tag=b", manifest.body, content_type=MANIFEST)
    assert 201 == pushed.status
    assert "a, b" == pushed.headers["oci-tag"]
    assert ["a", "b"] == own.tags().json["tags"]


def test_tag_list(own: Client) -> None:
    """Sorted, in pages, each once; neither digests nor images below are in it."""
    for tag in ("v1", "V1", "a-b", "a", "a.b", "1"):
        push_simple(own, tag)
    push_simple(Client(own.regproxy, f"{own.name}/below"), "x")
    everything = ["1", "V1", "a", "a-b", "a.b", "v1"]
    assert {"name": own.name, "tags": everything} == own.tags().json
    found, page = [], own.tags("?n=4")
    found += page.json["tags"]
    assert page.headers["link"] == f'</v2/images/{own.name}/tags/list?n=4&last=a-b>; rel="next"'
    page = own.tags("?n=4&last=a-b")
    found += page.json["tags"]
    assert "link" not in page.headers
    assert everything == found
    assert ([], None) == ((none := own.tags("?n=0")).json["tags"], none.headers.get("link"))
    assert ["v1"] == own.tags("?last=a.b").json["tags"]
    assert (400, "PAGINATION_NUMBER_INVALID") == code_of(own.tags("?n=x"))
    assert (404, "NAME_UNKNOWN") == code_of(Client(own.regproxy, own.name.partition("/")[0]).tags())


def test_catalog(twist_regproxy: Start) -> None:
    """Of one repository by its address, and of the default one."""
    regproxy = twist_regproxy('[docker]\ndefaultRepository = "images"\n' + images())
    for name in ("b", "a/b", "a/b/c", "x"):
        push_simple(Client(regproxy, name), "1")
    Client(regproxy, "blobs-only").push_blob(b"1")
    for address in ("/v2/_catalog", "/v2/images/_catalog", "/api/docker/images/v2/_catalog"):
        assert {"repositories": ["a/b", "a/b/c", "b", "x"]} == ask(regproxy, "GET", address).json
        page = ask(regproxy, "GET", f"{address}?n=2")
        assert (["a/b", "a/b/c"], f'<{address}?n=2&last=a%2Fb%2Fc>; rel="next"') == (
            page.json["repositories"],
            page.headers["link"],
        )


def test_referrers(own: Client) -> None:
    """What refers to a manifest, filtered, before and after that is there; OCI-Subject says that nothing else is needed."""
    own.push_blob(CONFIG)
    subject = simple("subject")
    address = f"referrers/{subject.digest}"
    empty = own.ask("GET", address)
    assert (200, INDEX, []) == (empty.status, empty.headers["content-type"], empty.json["manifests"])
    signature, blobs = build_signature(subject)
    for data in blobs.values():
        own.push_blob(data)
    pushed = own.push(signature.digest, signature)
    assert (201, subject.digest) == (pushed.status, pushed.headers["oci-subject"])
    plain = push_simple(own, "plain", subject=subject.descriptor())
    listing = Stored(INDEX, json.dumps({**json.loads(index_of().body), "subject": subject.descriptor()}).encode())
    assert 201 == own.push(listing.digest, listing).status
    push_simple(Client(own.regproxy, "elsewhere"), "elsewhere", subject=subject.descriptor())
    found = {each["digest"]: each for each in own.ask("GET", address).json["manifests"]}
    assert {signature.digest, plain.digest, listing.digest} == set(found)
    kind = "application/vnd.example.signature"
    assert {**signature.descriptor(), "artifactType": kind} == found[signature.digest]
    assert {**plain.descriptor(), "artifactType": EMPTY, "annotations": {"text": "plain"}} == found[plain.digest]
    assert listing.descriptor() == found[listing.digest]
    filtered = own.ask("GET", f"{address}?artifactType={kind}")
    assert [signature.digest] == [each["digest"] for each in filtered.json["manifests"]]
    assert "artifactType" == filtered.headers["oci-filters-applied"]
    assert 202 == own.ask("DELETE", f"manifests/{signature.digest}").status
    assert [] == own.ask("GET", f"{address}?artifactType={kind}").json["manifests"]
    assert (400, "DIGEST_INVALID") == code_of(own.ask("GET", "referrers/sha256:x"))


def test_deletes(client: Client) -> None:
    """A tag leaves its manifest, a digest takes its tags along, and what is gone is gone at once."""
    manifest = push_simple(client, "a")
    client.push("b", manifest)
    assert 202 == client.ask("DELETE", "manifests/a").status
    assert (404, "MANIFEST_UNKNOWN") == code_of(client.ask("DELETE", "manifests/a"))
    assert ["b"] == client.tags().json["tags"]
    assert 200 == client.ask("HEAD", f"manifests/{manifest.digest}").status
    assert 202 == client.ask("DELETE", f"manifests/{manifest.digest}").status
    assert [404, 404] == [client.ask("HEAD", f"manifests/{each}").status for each in ("b", manifest.digest)]
    assert (404, "NAME_UNKNOWN") == code_of(client.tags())
    blob = digest_of(CONFIG)
    assert 202 == client.ask("DELETE", f"blobs/{blob}").status
    assert (404, "BLOB_UNKNOWN") == code_of(client.ask("DELETE", f"blobs/{blob}"))
    assert 404 == client.ask("GET", f"blobs/{blob}").status
    assert 201 == Client(client.regproxy).push("again", push_simple(client, "again")).status


def test_a_tag_moves(own: Client) -> None:
    """The last push stands; the manifest that had the tag is still there at its digest."""
    first, second = push_simple(own, "1", note="first"), push_simple(own, "1", note="second")
    assert second.body == own.ask("GET", "manifests/1").body
    assert first.body == own.ask("GET", f"manifests/{first.digest}").body


def test_retention(twist_regproxy: Start) -> None:
    """With maxUniqueTags an image keeps the newest tags, and every manifest that they need."""
    client = Client(twist_regproxy(images("images", "maxUniqueTags = 2")))
    pushed = {tag: push_simple(client, tag) for tag in ("1", "2")}
    both = index_of(pushed["1"])
    assert 201 == client.push("3", both).status
    assert ["2", "3"] == client.tags().json["tags"]
    assert 200 == client.ask("HEAD", f"manifests/{pushed['1'].digest}").status
    push_simple(client, "4")
    assert ["3", "4"] == client.tags().json["tags"]
    assert 404 == client.ask("HEAD", f"manifests/{pushed['2'].digest}").status
    push_simple(client, "3", note="moved")
    assert ["3", "4"] == client.tags().json["tags"]
    assert 200 == client.ask("HEAD", f"manifests/{both.digest}").status


def test_killed_straight_after_201(client: Client) -> None:
    """Blobs, manifests and tags that were acknowledged are there, and what was not is not there in part."""
    rng = random.Random(21)
    for attempt in range(KILLS):
        blob = rng.randbytes(rng.randrange(1, 300_000))
        digest = client.push_blob(blob) if rng.random() < 0.5 else pushed_in_pieces(client, blob)
        is_tagged = rng.random() < 0.7
        layer = {"mediaType": "x/y", "digest": digest, "size": len(blob)}
        if is_tagged:
            manifest = push_simple(client, f"t{attempt}", layers=[layer])
        unfinished = socket.create_connection(("127.0.0.1", client.regproxy.port))
        head = f"POST /v2/images/team/app/blobs/uploads/?digest={digest_of(bytes(900_000))} HTTP/1.1\r\nHost: a\r\n"
        unfinished.sendall(head.encode() + b"Content-Length: 900000\r\n\r\n" + bytes(rng.randrange(300_000)))
        client.regproxy.restart(kill=True)
        unfinished.close()
        assert blob == client.ask("GET", f"blobs/{digest}").body
        assert 404 == client.ask("HEAD", f"blobs/{digest_of(bytes(900_000))}").status
        if is_tagged:
            for reference in (f"t{attempt}", manifest.digest):
                assert manifest.body == client.ask("GET", f"manifests/{reference}").body
            assert f"t{attempt}" in client.tags().json["tags"]


def pushed_in_pieces(client: Client, data: bytes) -> str:
    """Push by PATCH and PUT; the digest."""
    upload = client.follow("PATCH", client.begin(), "", data[: len(data) // 2])
    assert 201 == client.follow("PUT", upload, f"?digest={digest_of(data)}", data[len(data) // 2 :]).status
    return digest_of(data)


def test_memory_stays_flat(client: Client) -> None:
    """However large a layer is, in one stream."""
    client.push_blob(random.Random(1).randbytes(8 << 20))
    before = client.regproxy.peak_rss()
    piece = random.Random(3).randbytes(1 << 20)
    upload = client.follow("PATCH", client.begin(), "", (piece for _ in range(256)))
    assert (202, f"0-{(256 << 20) - 1}") == (upload.status, upload.headers["range"])
    assert client.regproxy.peak_rss() - before < 64 << 20
    assert 204 == client.follow("DELETE", upload).status
