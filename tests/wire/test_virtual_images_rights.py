"""Who sees and changes what through a virtual repository of images: what a member hides is hidden there, too."""

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import frozen

from regproxy.access.first import OPEN
from regproxy.model.access import Action
from regproxy.model.principals import ANONYMOUS, Target, User
from tests.fakes.deploying import Answer, ask
from tests.fakes.people import HASH, basic, populate
from tests.fakes.process import Regproxy, free_port
from tests.fakes.pushing import OCTETS, Client, code_of, images
from tests.fakes.registry_image import Stored, digest_of
from tests.wire.test_oci_manifests import push_simple, simple
from tests.wire.test_virtual_images import DEPLOYS, remote, virtual

READ, WRITE = Action.READ, Action.WRITE
EVERYTHING = (READ, WRITE, Action.DELETE)
SECRET = b"secret layer"
BY = {name: {"authorization": basic(name)} for name in ("ann", "carl", "dave")} | {"nobody": {}}


@frozen
class As(Client):
    """A client of an image that shows who it is."""

    who: str = "nobody"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Ask below the image."""
        return Client.ask(self, method, path, body, **BY[self.who], **headers)


@frozen
class Scene:
    """Ann may everything; carl may push, and have fetched, but not see ``secret``; dave and nobody read what a remote holds."""

    regproxy: Regproxy
    hidden: Stored

    def by(self, who: str, name: str = "team/secret", key: str = "all") -> As:
        """A client of somebody's."""
        return As(self.regproxy, name, f"/v2/{key}", who)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One server, which is its own upstream."""
    port = free_port()
    tables = [*map(images, ("secret", "mine", "source")), remote("loop", f"http://127.0.0.1:{port}/v2/source")]
    tables.append(virtual("all", "secret", "mine", "loop", further=DEPLOYS))
    regproxy = Regproxy(tmp_path_factory.mktemp("rights"), "\n".join(tables), port=port)
    regproxy.start()
    try:
        for tag in ("1", "2"):
            push_simple(Client(regproxy, "team/secret", "/v2/source"), tag, note="theirs")
        push_simple(Client(regproxy, "public/app", "/v2/source"), "1")
        Client(regproxy, "team/secret", "/v2/secret").push_blob(SECRET)
        hidden = push_simple(Client(regproxy, "team/secret", "/v2/secret"), "1", note="ours")
        populate(
            regproxy,
            *(User(name=name, password=HASH) for name in ("ann", "carl", "dave")),
            Target(name=OPEN[0].name, repositories=("source",), users={ANONYMOUS: (READ,)}),
            Target(name=OPEN[1].name),
            Target(name="through", repositories=("all",), users=dict.fromkeys(("ann", "carl", "dave", ANONYMOUS), (READ,))),
            Target(name="ann", repositories=("secret", "mine", "loop"), users={"ann": EVERYTHING}),
            Target(name="carl", repositories=("mine", "loop"), users={"carl": EVERYTHING}),
            Target(name="held", repositories=("loop",), users={"dave": (READ,), ANONYMOUS: (READ,)}),
        )
        yield Scene(regproxy, hidden)
    finally:
        regproxy.close()


def test_a_name_is_somebodys_whoever_may_see_it(scene: Scene) -> None:
    """Who may not see the owner hears that nothing is there, not why, and gets no other image of that name."""
    assert scene.hidden.body == scene.by("ann").ask("GET", "manifests/1").body
    told = scene.by("ann").ask("GET", "manifests/2")
    assert (404, True) == (told.status, "sharedNamesPattern" in told.json["errors"][0]["message"])
    for reference in ("1", "2", scene.hidden.digest):
        answer = scene.by("carl").ask("GET", f"manifests/{reference}")
        assert (404, "MANIFEST_UNKNOWN") == code_of(answer)
        assert "sharedNamesPattern" not in answer.json["errors"][0]["message"]
        asked = scene.by("nobody").ask("GET", f"manifests/{reference}")
        assert (401, "UNAUTHORIZED") == code_of(asked)
        assert 'realm="' in asked.headers["www-authenticate"]
    assert (404, "NAME_UNKNOWN") == code_of(scene.by("carl").tags())
    assert ["1"] == scene.by("ann").tags().json["tags"]
    catalogs = {who: ask(scene.regproxy, "GET", "/v2/all/_catalog", **BY[who]).json["repositories"] for who in ("ann", "carl")}
    assert (True, False) == ("team/secret" in catalogs["ann"], "team/secret" in catalogs["carl"])


def test_hidden_bytes_are_not_to_be_had(scene: Scene) -> None:
    """Not by a mount, and not by a manifest that names them."""
    digest = digest_of(SECRET)
    carl = scene.by("carl")
    for source in ("all/team/secret", "secret/team/secret"):
        assert 202 == scene.by("carl", "carls/app").ask("POST", f"blobs/uploads/?mount={digest}&from={source}").status
    manifest = simple("x", layers=[{"mediaType": "x/y", "digest": digest, "size": len(SECRET)}])
    assert 201 == carl.ask("POST", f"blobs/uploads/?digest={digest_of(b'{}')}", b"{}", content_type=OCTETS).status
    assert (404, "MANIFEST_BLOB_UNKNOWN") == code_of(carl.push("x", manifest))
    ann = scene.by("ann")
    assert 201 == ann.push("x", manifest).status
    assert SECRET == scene.by("carl", key="mine").ask("GET", f"blobs/{digest}").body
    assert 202 == ann.ask("DELETE", "manifests/x").status


def test_who_may_have_it_fetched(scene: Scene) -> None:
    """What is not held is there for those who may; then for all who may read."""
    for who in ("dave", "nobody"):
        assert scene.by(who, "public/app").ask("GET", "manifests/1").status == {"dave": 404, "nobody": 401}[who]
    assert 200 == scene.by("carl", "public/app").ask("GET", "manifests/1").status
    for who in ("dave", "nobody"):
        assert 200 == scene.by(who, "public/app").ask("GET", "manifests/1").status


def test_who_may_push(scene: Scene) -> None:
    """The rights in the deployment member decide; a session of the token server is as good as a password."""
    for who, expected in (("dave", (404, "NAME_UNKNOWN")), ("nobody", (401, "UNAUTHORIZED"))):
        assert expected == code_of(scene.by(who, "carls/app").begin())
        assert expected == code_of(scene.by(who, "carls/app").push("1", simple("1")))
    asked = ask(scene.regproxy, "GET", "/v2/token?service=regproxy&scope=repository:all/carls/app:pull,push", **BY["carl"])
    bearer = {"authorization": f"Bearer {asked.json['token']}"}
    plain = Client(scene.regproxy, "carls/app", "/v2/all")
    data = digest_of(b"{}")
    assert 404 == plain.ask("HEAD", f"blobs/{data}", **bearer).status
    assert 201 == plain.ask("POST", f"blobs/uploads/?digest={data}", b"{}", content_type=OCTETS, **bearer).status
    manifest = simple("1")
    pushed = plain.ask("PUT", "manifests/1", manifest.body, content_type=manifest.media_type, **bearer)
    assert 201 == pushed.status
    assert manifest.body == plain.ask("GET", "manifests/1", **bearer).body
    assert 404 == scene.by("dave", "carls/app").ask("GET", "manifests/1").status
