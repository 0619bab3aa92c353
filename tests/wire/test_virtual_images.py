"""A virtual repository of images over real sockets: whose image it is, lists of all members, pushes, and who may."""

import json
import re
from collections.abc import Iterator

import pytest
from attrs import frozen

from tests.fakes.deploying import Answer, ask
from tests.fakes.people import basic
from tests.fakes.process import Regproxy
from tests.fakes.pushing import Client, code_of, images, located
from tests.fakes.registry_image import INDEX, Stored, build_image, build_signature, digest_of
from tests.wire.test_life import wait_until
from tests.wire.test_oci_manifests import CONFIG, index_of, push_simple, simple

DEAD = "http://127.0.0.1:9"


def remote(key: str, url: str, *further: str) -> str:
    """The table of a remote repository."""
    lines = [f'key = "{key}"', 'rclass = "remote"', 'packageType = "docker"', f'url = "{url}"', *further, ""]
    return "\n".join(["[[repository]]", *lines])


def virtual(key: str, *members: str, further: str = "") -> str:
    """The table of a virtual repository of images."""
    names = ", ".join(f'"{each}"' for each in members)
    head = f'[[repository]]\nkey = "{key}"\nrclass = "virtual"\npackageType = "docker"\nrepositories = [{names}]\n'
    return f"{head}{further}\n"


DEPLOYS = 'defaultDeploymentRepo = "mine"'


@frozen
class Scene:
    """A registry with the repositories ``near`` and ``far``, and a server that has them as remotes beside local ones."""

    upstream: Regproxy
    regproxy: Regproxy

    def at(self, key: str, name: str = "team/app") -> Client:
        """A client of an image."""
        return Client(self.regproxy, name, f"/v2/{key}")

    def of(self, key: str, name: str = "team/app") -> Client:
        """A client of an image upstream."""
        return Client(self.upstream, name, f"/v2/{key}")

    def asked(self, part: str) -> list[str]:
        """Methods and paths of requests to the registry that have some text in them, up to a request that is made now."""
        mark = f"/v2/near/mark-{len(self.upstream.log)}/tags/list"
        ask(self.upstream, "GET", mark)
        wait_until(lambda: mark in self.upstream.log)
        found = re.findall(r'"method":"([A-Z]+)","path":"([^"]+)"', self.upstream.log)
        return [f"{method} {path}" for method, path in found if part in path and "mark-" not in path]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Two servers for all."""
    upstream = Regproxy(tmp_path_factory.mktemp("upstream"), images("near") + images("far"))
    upstream.start()
    url = upstream.base_url
    tables = [
        '[docker]\ndefaultRepository = "all"\n[docker.namespaces]\n"mirrored.example" = "all"\n',
        images("mine"),
        remote("near", f"{url}/v2/near"),
        remote("far", f"{url}/v2/far"),
        remote("best", f"{url}/v2/far", "priorityResolution = true"),
        remote("thin", f"{url}/v2/near", "storeArtifactsLocally = false"),
        remote("down", DEAD),
        remote("hard", DEAD, "hardFail = true"),
        virtual("all", "near", "far", "mine", further=DEPLOYS),
        virtual("more", "down", "all", "mine", further=DEPLOYS),
        virtual("strict", "hard", "all"),
        virtual("first", "mine", "best"),
        virtual("shared", "near", "mine", further=f'{DEPLOYS}\nsharedNamesPattern = "shared/**"'),
        virtual("thinly", "thin", "mine", further=DEPLOYS),
        virtual("readonly", "near", "mine"),
    ]
    regproxy = Regproxy(tmp_path_factory.mktemp("virtual"), "\n".join(tables))
    regproxy.start()
    try:
        yield Scene(upstream, regproxy)
    finally:
        regproxy.close()
        upstream.close()


def test_an_image_of_a_remote(scene: Scene) -> None:
    """The first that has it, by every form of address, and all that it consists of from there; others are not asked for that."""
    image = build_image("remote")
    scene.of("far", "public/app").push_image("1", image)
    client = scene.at("all", "public/app")
    for method in ("HEAD", "GET"):
        answer = client.ask(method, "manifests/1")
        told = [answer.headers[name] for name in ("content-type", "docker-content-digest", "content-length")]
        assert [INDEX, image.index.digest, str(len(image.index.body))] == told
    assert image.index.body == answer.body
    for manifest in image.manifests:
        assert manifest.body == client.ask("GET", f"manifests/{manifest.digest}").body
    for digest, data in image.blobs.items():
        head, got = (client.ask(method, f"blobs/{digest}") for method in ("HEAD", "GET"))
        assert [(200, str(len(data))), (200, str(len(data)))] == [
            (each.status, each.headers["content-length"]) for each in (head, got)
        ]
        assert data == got.body
    assert ["/v2/near/public/app/manifests/1"] == sorted({each.partition(" ")[2] for each in scene.asked("/v2/near/public/app/")})
    path = "public/app/manifests/1"
    for address in (
        f"/api/docker/all/v2/{path}",
        f"/all/v2/{path}",
        f"/v2/{path}",
        f"/v2/{path}?ns=mirrored.example",
        "/all/public/app/1/manifest.json",
    ):
        assert image.index.body == ask(scene.regproxy, "GET", address).body
    blob = digest_of(b"nowhere")
    assert (404, "BLOB_UNKNOWN") == code_of(client.ask("GET", f"blobs/{blob}"))
    before = len(scene.asked("/v2/near/"))
    wait_until(lambda: client.ask("GET", "manifests/1").headers["x-regproxy-cache"] == "hit")
    assert image.blobs[image.layers[0][0]] == client.ask("GET", f"blobs/{image.layers[0][0]}").body
    assert before == len(scene.asked("/v2/near/"))


def test_a_local_image_is_nobody_elses(scene: Scene) -> None:
    """What has the name of a local one is not asked for elsewhere; by digest it is served from what is held."""
    for key in ("near", "far"):
        push_simple(scene.of(key), "public")
        push_simple(scene.of(key), "1")
    held = push_simple(scene.of("near"), "held", note="held")
    assert held.body == scene.at("all").ask("GET", "manifests/held").body
    wait_until(lambda: scene.at("near").ask("GET", f"manifests/{held.digest}").headers["x-regproxy-cache"] == "hit")
    ours = push_simple(scene.at("mine"), "1", note="ours")
    client, before = scene.at("all"), len(scene.asked("team/app"))
    assert ours.body == client.ask("GET", "manifests/1").body
    for reference in ("public", "held", simple("unknown").digest):
        answer = client.ask("GET", f"manifests/{reference}")
        assert (404, "MANIFEST_UNKNOWN") == code_of(answer)
        assert "sharedNamesPattern" in answer.json["errors"][0]["message"]
    assert held.body == client.ask("GET", f"manifests/{held.digest}").body
    assert ["1"] == client.tags().json["tags"]
    assert 404 == client.ask("HEAD", f"blobs/{digest_of(b'x')}").status
    assert before == len(scene.asked("team/app"))
    best = scene.at("first")
    assert simple("1").body == best.ask("GET", "manifests/1").body
    assert ["1", "public"] == best.tags().json["tags"]


def test_shared_names(scene: Scene) -> None:
    """Are asked for everywhere, local ones first."""
    for tag in ("1", "2"):
        push_simple(scene.of("near", "shared/app"), tag, note="theirs")
    ours = push_simple(scene.at("shared", "shared/app"), "1", note="ours")
    client = scene.at("shared", "shared/app")
    assert ours.body == client.ask("GET", "manifests/1").body
    assert 200 == client.ask("GET", "manifests/2").status
    assert ["1", "2"] == client.tags().json["tags"]


def test_tags_of_all(scene: Scene) -> None:
    """Each once, sorted, in pages of our own, whatever the pages of members are."""
    for key, tags in (("near", "acb"), ("far", "bd")):
        for tag in tags:
            push_simple(scene.of(key, "pages/app"), tag)
    client = scene.at("all", "pages/app")
    assert {"name": "pages/app", "tags": ["a", "b", "c", "d"]} == client.tags().json
    page = client.tags("?n=3")
    assert (["a", "b", "c"], '</v2/all/pages/app/tags/list?n=3&last=c>; rel="next"') == (page.json["tags"], page.headers["link"])
    assert ["d"] == client.tags("?n=3&last=c").json["tags"]
    assert 304 == client.ask("GET", "tags/list", if_none_match=client.tags().headers["etag"]).status
    assert (404, "NAME_UNKNOWN") == code_of(scene.at("all", "no/such").tags())
    partly = scene.at("more", "pages/app").tags()
    assert (["a", "b", "c", "d"], True) == (partly.json["tags"], "cannot be asked now" in partly.headers["warning"])
    assert scene.at("more", "no/such").tags().status in (502, 503, 504)
    assert scene.at("strict", "pages/app").tags().status in (502, 503, 504)
    assert (400, "PAGINATION_NUMBER_INVALID") == code_of(client.tags("?n=x"))


def test_referrers_of_all(scene: Scene) -> None:
    """Of any member, each once; what is attached to an image of elsewhere makes nobody its owner."""
    subject = push_simple(scene.of("far", "signed/app"), "1")
    theirs, blobs = build_signature(subject, b"theirs")
    ours, further = build_signature(subject, b"ours")
    client = scene.at("all", "signed/app")
    for target, signature, parts in (
        (scene.of("far", "signed/app"), theirs, blobs),
        (client, ours, further),
    ):
        for data in parts.values():
            target.push_blob(data)
        assert 201 == target.push(signature.digest, signature).status
    legacy = Stored(ours.media_type, simple("legacy").body)
    client.push_blob(CONFIG)
    assert 201 == client.push(f"sha256-{subject.digest[7:]}.sig", legacy).status
    assert subject.body == client.ask("GET", "manifests/1").body
    listed = client.ask("GET", f"referrers/{subject.digest}")
    assert (200, INDEX, {theirs.digest, ours.digest}) == (
        listed.status,
        listed.headers["content-type"],
        {each["digest"] for each in listed.json["manifests"]},
    )
    for signature in (theirs, ours):
        assert signature.body == client.ask("GET", f"manifests/{signature.digest}").body
    filtered = client.ask("GET", f"referrers/{subject.digest}?artifactType=none/such")
    assert ([], "artifactType") == (filtered.json["manifests"], filtered.headers["oci-filters-applied"])
    unknown = f"referrers/{digest_of(b'nothing')}"
    assert [] == client.ask("GET", unknown).json["manifests"]
    assert scene.at("more", "signed/app").ask("GET", unknown).status in (502, 503, 504)


def test_outages(scene: Scene) -> None:
    """A member that is down hides nothing, and is no 404; but a blob that is about to be sent is looked for in vain."""
    image = push_simple(scene.of("near", "up/app"), "1")
    assert image.body == scene.at("more", "up/app").ask("GET", "manifests/1").body
    absent = scene.at("more", "up/app")
    for method in ("HEAD", "GET"):
        assert absent.ask(method, "manifests/none").status in (502, 503, 504)
    assert absent.ask("GET", f"blobs/{digest_of(b'none')}").status in (502, 503, 504)
    assert 404 == absent.ask("HEAD", f"blobs/{digest_of(b'none')}").status
    assert 404 == absent.ask("HEAD", "manifests/none", accept=f"{INDEX}, */*").status
    assert absent.ask("HEAD", "manifests/none", accept=f"{INDEX}, {image.media_type}, */*").status in (502, 503, 504)
    assert scene.at("strict", "up/app").ask("HEAD", f"blobs/{digest_of(b'none')}").status in (502, 503, 504)
    push_simple(scene.of("near", "up/app"), "2")
    assert scene.at("strict", "up/app").ask("GET", "manifests/2").status in (502, 503, 504)


def test_push(scene: Scene) -> None:
    """In every style, and every address that is told leads through the virtual repository."""
    client, mine = scene.at("more", "push/app"), scene.at("mine", "push/app")
    data = b"in pieces " * 1000
    began = client.begin()
    assert (202, True) == (began.status, located(began).startswith("/v2/more/push/app/blobs/uploads/"))
    upload = client.follow("PATCH", began, "", data[:100])
    assert (202, "0-99") == (upload.status, upload.headers["range"])
    assert 204 == client.follow("GET", upload).status
    done = client.follow("PUT", upload, f"?digest={digest_of(data)}", data[100:])
    assert (201, f"/v2/more/push/app/blobs/{digest_of(data)}") == (done.status, located(done))
    assert data == client.follow("GET", done).body == mine.ask("GET", f"blobs/{digest_of(data)}").body
    image = build_image("pushed")
    client.push_image("1", image)
    pushed = client.push("2", image.index)
    assert (201, "/v2/more/push/app/manifests/2") == (pushed.status, located(pushed))
    for each in (client, mine):
        assert image.index.body == each.ask("GET", "manifests/1").body
    below = Client(scene.regproxy, "push/app", "/api/docker/all/v2")
    assert "/api/docker/all/v2/push/app/blobs/uploads/" in located(below.begin())
    assert 202 == client.ask("DELETE", "manifests/2").status
    assert ["1"] == mine.tags().json["tags"]
    assert {"push/app"} <= set(ask(scene.regproxy, "GET", "/v2/all/_catalog").json["repositories"])
    assert 404 == scene.at("more", "signed/app").ask("DELETE", f"manifests/{simple('1').digest}").status
    for method, path in (("POST", "blobs/uploads/"), ("PUT", "manifests/1"), ("DELETE", "manifests/1")):
        refused = scene.at("readonly", "push/app").ask(method, path, b"{}")
        assert (405, "UNSUPPORTED") == code_of(refused)
        assert ("GET, HEAD", True) == (refused.headers["allow"], "defaultDeploymentRepo" in refused.json["errors"][0]["message"])


def test_layers_that_another_member_has(scene: Scene) -> None:
    """A client is told that they are there, and sends a manifest without them: held ones, and those that only upstream has."""
    image = build_image("based", big=300_000)
    scene.of("near", "base/app").push_image("1", image)
    client = scene.at("all", "base/app")
    assert 200 == client.ask("GET", f"blobs/{image.layers[0][0]}").status
    assert {200} == {client.ask("HEAD", f"blobs/{digest}").status for digest in image.blobs}
    assert 201 == client.push("patched", image.manifests[0]).status
    mine = scene.at("mine", "base/app")
    assert {200} == {mine.ask("HEAD", f"blobs/{digest}").status for digest in image.layers[0]}
    assert 201 == client.push("all", image.index).status
    scene.upstream.terminate()
    try:
        for manifest in image.manifests:
            assert manifest.body == mine.ask("GET", f"manifests/{manifest.digest}").body
        for digest, data in image.blobs.items():
            assert data == mine.ask("GET", f"blobs/{digest}").body
    finally:
        scene.upstream.start()
    unknown = {"mediaType": "x/y", "digest": digest_of(b"unknown"), "size": 7}
    client.push_blob(CONFIG)
    for manifest in (simple("x", layers=[unknown]), index_of(simple("nowhere"))):
        assert (404, "MANIFEST_BLOB_UNKNOWN") == code_of(client.push("no", manifest))


def test_layers_that_a_remote_does_not_keep(scene: Scene) -> None:
    """Are brought all the same, larger than what is in memory on the way."""
    image = build_image("thin", big=12 << 20)
    scene.of("near", "thin/app").push_image("1", image)
    assert 201 == scene.at("thinly", "thin/app").push("patched", image.manifests[0]).status
    mine = scene.at("mine", "thin/app")
    for digest in image.layers[0]:
        assert image.blobs[digest] == mine.ask("GET", f"blobs/{digest}").body


def test_mounts(scene: Scene) -> None:
    """``from`` is an image of the virtual repository, be it a remote's, named with the repository or without."""
    image = build_image("mounted")
    scene.of("far", "from/app").push_image("1", image)
    digest = image.layers[0][0]
    assert image.blobs[digest] == scene.at("all", "from/app").ask("GET", f"blobs/{digest}").body
    for number, source in enumerate(("all/from/app", "from/app", "far/from/app")):
        target = scene.at("all", f"to/app{number}")

        def mounted(target: Client = target, source: str = source) -> Answer:
            return target.begin(f"?mount={digest}&from={source}")

        wait_until(lambda mounted=mounted: mounted().status == 201)  # type: ignore[misc] # a default, not a parameter
        assert image.blobs[digest] == target.follow("GET", mounted()).body
    assert 202 == scene.at("all", "to/none").begin(f"?mount={digest_of(b'none')}&from=all/from/app").status


def test_what_is_written_down(scene: Scene) -> None:
    """The log and metrics of answers name the virtual repository, downloads the member's node; REST shows it."""
    push_simple(scene.at("all", "log/app"), "1")
    assert 200 == scene.at("all", "log/app").ask("GET", "manifests/1").status
    wait_until(lambda: 1 == ask(scene.regproxy, "GET", "/api/storage/mine/log/app/1/manifest.json?stats").json["downloadCount"])
    assert 200 == ask(scene.regproxy, "GET", "/api/storage/all/log/app/1/manifest.json").status
    metrics = ask(scene.regproxy, "GET", "/metrics").body.decode()
    assert 'repository="all"' in metrics
    by = basic("admin", (scene.regproxy.data_dir / "admin.password").read_text().strip())
    said = json.dumps({"rclass": "virtual", "packageType": "docker", "repositories": ["mine"]}).encode()
    assert 200 == ask(scene.regproxy, "PUT", "/api/repositories/made", said, authorization=by).status
    assert 200 == scene.at("made", "log/app").ask("GET", "manifests/1").status
    wrong = json.dumps({"rclass": "virtual", "packageType": "oci", "repositories": ["mine"]}).encode()
    assert 400 == ask(scene.regproxy, "PUT", "/api/repositories/wrong", wrong, authorization=by).status
    assert 200 == ask(scene.regproxy, "DELETE", "/api/repositories/made", authorization=by).status
