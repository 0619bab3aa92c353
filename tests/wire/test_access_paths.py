"""Some may see some of it: rights by path, in every way that tells anything of what is there; and rights that were taken away."""

import hashlib
import json
import threading
from collections.abc import Iterator

import pytest
from attrs import frozen

from regproxy.access.first import OPEN
from regproxy.model.access import Action
from regproxy.model.principals import ANONYMOUS, Target, User
from tests.fakes.deploying import Answer, ask, local
from tests.fakes.files import remote
from tests.fakes.origin import Origin, origin
from tests.fakes.people import HASH, basic, populate
from tests.fakes.process import Regproxy
from tests.fakes.pushing import Client, images
from tests.fakes.registry_image import digest_of
from tests.wire.test_life import wait_until
from tests.wire.test_virtual import virtual

DATA = b"gated " * 30_000
SHA256 = hashlib.sha256(DATA).hexdigest()
ALL = (Action.READ, Action.WRITE, Action.DELETE, Action.ANNOTATE)
BY = {name: {"authorization": basic(name)} for name in ("ann", "carl")} | {"nobody": {}}
OPENED, GATED = "open/a", "gated/a"


@frozen
class Scene:
    """Ann may everything; carl, and nobody by name, what lies below ``open/``; a public repository is everybody's."""

    regproxy: Regproxy
    upstream: Origin

    def ask(self, who: str, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Ask as somebody."""
        return ask(self.regproxy, method, path, body, **BY[who], **headers)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Files, a remote of files, and images: of each some open and some gated."""
    with origin({f"/{path}/f": DATA for path in (OPENED, GATED)} | {"/gated/slow": DATA}) as upstream:
        vault = remote(upstream.url).replace('"files"', '"vault"')
        several = virtual("all", "files", "vault"), virtual("both", "vault", "files")
        tables = (local(), local("public"), images(), images("mine"), vault, *several)
        regproxy = Regproxy(tmp_path_factory.mktemp("gated"), "\n".join(tables))
        regproxy.start()
        try:
            for path in (OPENED, GATED):
                assert ask(regproxy, "PUT", f"/files/{path}/f;kind=odd", DATA).status == 201
                assert ask(regproxy, "GET", f"/vault/{path}/f").body == DATA
                Client(regproxy, path).push_blob(DATA)
                config = Client(regproxy, path).push_blob(b"{}")
                layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": f"sha256:{SHA256}", "size": len(DATA)}
                manifest = {
                    "schemaVersion": 2,
                    "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2},
                    "layers": [layer],
                }
                pushed = Client(regproxy, path).ask(
                    "PUT", "manifests/1", json.dumps(manifest).encode(), content_type=str(manifest["mediaType"])
                )
                assert pushed.status == 201, pushed.body
            private = ("files", "vault", "images")
            populate(
                regproxy,
                User(name="ann", password=HASH),
                User(name="carl", password=HASH),
                Target(name=OPEN[0].name, repositories=("public", "mine"), users={ANONYMOUS: (Action.READ,), "carl": ALL}),
                Target(name=OPEN[1].name),
                Target(name="through", repositories=("all", "both"), users=dict.fromkeys(("ann", "carl", ANONYMOUS), ALL)),
                Target(name="all", repositories=private, users={"ann": ALL}),
                Target(name="some", repositories=private, includes=("open/**",), users={"carl": ALL, ANONYMOUS: (Action.READ,)}),
            )
            yield Scene(regproxy, upstream)
        finally:
            regproxy.close()


@pytest.mark.parametrize("who", ["carl", "nobody"])
@pytest.mark.parametrize(
    "path",
    [
        "/files/{p}/f",
        "/vault/{p}/f",
        "/vault-cache/{p}/f",
        "/api/storage/files/{p}/f",
        "/api/storage/files/{p}/f?properties",
        "/api/storage/files/{p}/f?stats",
        "/api/storage/vault/{p}/f",
        "/all/{p}/f",
        "/both/{p}/f",
        "/api/storage/all/{p}/f?properties",
        "/v2/images/{p}/manifests/1",
        "/v2/images/{p}/blobs/sha256:" + SHA256,
        "/v2/images/{p}/tags/list",
        "/images/v2/{p}/manifests/1",
        "/api/docker/images/v2/{p}/blobs/sha256:" + SHA256,
        "/images/{p}/1/manifest.json",
    ],
)
def test_what_is_gated(scene: Scene, who: str, path: str) -> None:
    """GET, HEAD and a range of it, by whatever address: refused as what is not there is, and open is what is open."""
    asked = len(scene.upstream.asked)
    for method, headers in (("GET", {}), ("HEAD", {}), ("GET", {"range": "bytes=0-9"})):
        assert scene.ask("ann", method, path.format(p=GATED), None, **headers).status in (200, 206)
        assert scene.ask(who, method, path.format(p=OPENED), None, **headers).status in (200, 206)
        gated, absent = (scene.ask(who, method, path.format(p=each), None, **headers) for each in (GATED, "gated/none"))
        told = (401, 403, 404) if "all" in path or "both" in path else (401, 403)  # a member that is not for him is not there
        assert (gated.status, gated.status in told) == (absent.status, True), (method, headers)
        assert DATA[:10] not in gated.body
        assert gated.body.replace(GATED.encode(), b"?") == absent.body.replace(b"gated/none", b"?")
    assert len(scene.upstream.asked) == asked


@pytest.mark.parametrize("who", ["carl", "nobody"])
def test_lists(scene: Scene, who: str) -> None:
    """Of images, folders and findings: what is gated is in none."""
    asked = [
        ("GET", "/v2/images/_catalog", None),
        ("GET", "/v2/_catalog", None),
        ("GET", "/api/docker/images/v2/_catalog", None),
        ("GET", "/files/", None),
        ("GET", "/api/storage/files", None),
        ("GET", "/all/", None),
        ("GET", "/api/storage/all", None),
        ("GET", "/api/storage/all?list&deep=1&listFolders=1", None),
        ("GET", "/api/storage/all?lastModified", None),
        ("GET", "/api/search/artifact?name=*&repos=all", None),
        ("GET", "/api/storage/files?list&deep=1&listFolders=1", None),
        ("GET", "/api/storage/files?lastModified", None),
        ("GET", "/api/search/artifact?name=*", None),
        ("GET", f"/api/search/checksum?sha256={SHA256}", None),
        ("GET", "/api/search/prop?kind=odd", None),
        ("GET", "/api/search/pattern?pattern=files:*/*/*", None),
        ("GET", "/api/search/creation?from=0", None),
        ("POST", "/api/search/aql", b'items.find({"name": "f"}).include("repo", "path", "name", "sha256")'),
    ]
    for method, path, body in asked:
        by_ann, seen = scene.ask("ann", method, path, body), scene.ask(who, method, path, body)
        assert b"gated" not in seen.body, path
        if by_ann.status == 200 and b"gated" in by_ann.body and seen.status == 200:
            assert b"open" in seen.body, path
    assert b"gated" in scene.ask("ann", "GET", "/v2/images/_catalog").body
    assert b"gated" in scene.ask("ann", "GET", "/api/search/artifact?name=*").body


def test_bytes_are_not_taken_elsewhere(scene: Scene) -> None:
    """Neither mounted, nor deployed by checksum, nor copied, by one who may only write where he would put them."""
    client = f"/v2/mine/stolen/blobs/uploads/?mount=sha256:{SHA256}&from="
    for source, status in (("images/gated/a", 202), ("images/none", 202)):
        assert scene.ask("carl", "POST", client + source, b"").status == status, source
    assert scene.ask("carl", "GET", f"/v2/mine/stolen/blobs/sha256:{SHA256}").status == 404
    for verb in ("copy", "move"):
        taken = scene.ask("carl", "POST", f"/api/{verb}/files/{GATED}/f?to=/public/stolen", b"")
        absent = scene.ask("carl", "POST", f"/api/{verb}/files/gated/none/f?to=/public/stolen", b"")
        assert (taken.status, taken.status >= 400) == (absent.status, True)
    scene.ask("carl", "POST", "/api/copy/files?to=/public/all", b"")
    listed = scene.ask("carl", "GET", "/api/storage/public?list&deep=1").json["files"]
    assert not [each["uri"] for each in listed if "gated" in each["uri"]]
    mounted = scene.ask("carl", "POST", client + "images/open/a", b"")
    assert (201, digest_of(DATA)) == (mounted.status, mounted.headers["docker-content-digest"])


def test_who_may_not_does_not_follow(scene: Scene) -> None:
    """A fill that is under way for one who may; the one who may not does not hear of it, and the fill does not of him."""
    gate = scene.upstream.gates["/gated/slow", 64 << 10] = threading.Event()
    got: list[bytes] = []
    reading = threading.Thread(target=lambda: got.append(scene.ask("ann", "GET", "/vault/gated/slow").body))
    reading.start()
    try:
        wait_until(lambda: ("/gated/slow", "") in scene.upstream.asked, 30)
        for who, status in (("carl", 403), ("nobody", 401)):
            for path in ("/vault/gated/slow", "/vault-cache/gated/slow", "/api/storage/vault/gated/slow"):
                assert scene.ask(who, "GET", path).status == status
                assert scene.ask(who, "GET", path, None, range="bytes=0-9").status == status
    finally:
        gate.set()
        reading.join()
    assert [DATA] == got


def test_a_right_that_was_taken_away(scene: Scene) -> None:
    """Is gone with the answer to whoever took it: for passwords and sessions, of what is cached and what was begun."""
    admin = basic("admin", (scene.regproxy.data_dir / "admin.password").read_text().strip())
    made = {"repo": {"repositories": ["files", "images", "vault"], "actions": {"users": {"carl": ["read", "write"]}}}}
    target = "/api/v2/security/permissions/lent"
    assert ask(scene.regproxy, "PUT", target, json.dumps(made).encode(), authorization=admin).status == 201
    session = "Bearer " + scene.ask("carl", "GET", "/v2/token").json["token"]
    paths = (f"/files/{GATED}/f", f"/vault/{GATED}/f", f"/v2/images/{GATED}/manifests/1", f"/api/storage/files/{GATED}/f")

    def statuses() -> set[int]:
        shown = (BY["carl"]["authorization"], session)
        return {ask(scene.regproxy, "GET", path, None, authorization=each).status for path in paths for each in shown}

    assert statuses() == {200}
    begun = scene.ask("carl", "POST", "/v2/images/gated/b/blobs/uploads/", b"")
    assert begun.status == 202
    assert ask(scene.regproxy, "DELETE", target, None, authorization=admin).status == 200
    assert statuses() == {403}
    location = begun.headers["location"].removeprefix(scene.regproxy.base_url)
    assert scene.ask("carl", "PATCH", location, b"more").status == 403
