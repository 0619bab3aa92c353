"""Images that go from one local repository of a real server to another: all of what they are, or nothing."""

import json
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.fakes.deploying import Answer, local
from tests.fakes.people import basic
from tests.fakes.process import Regproxy
from tests.fakes.pushing import Client, images
from tests.fakes.registry_image import Image, Stored, build_image, build_signature
from tests.wire.test_life import wait_until
from tests.wire.test_people import Asker
from tests.wire.test_repositories import administrator

REMOTE = '[[repository]]\nkey = "hub"\nrclass = "remote"\npackageType = "docker"\nurl = "http://127.0.0.1:9"\n'
VIRTUAL = '[[repository]]\nkey = "all"\nrclass = "virtual"\npackageType = "docker"\nrepositories = ["dev", "kept"]\n'
DONE = (200, b"Promotion ended successfully")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Regproxy]:
    """Two repositories of images, of both types, one that has no room, and what images cannot be promoted to."""
    small = images("small", 'maxBytes = "10KB"') + images("kept", "maxUniqueTags = 1")
    tables = images("dev") + images("prod", package_type="oci") + small + local() + REMOTE + VIRTUAL
    regproxy = Regproxy(tmp_path_factory.mktemp("promotion"), tables)
    regproxy.start()
    yield regproxy
    regproxy.close()


@pytest.fixture
def admin(server: Regproxy) -> Iterator[Asker]:
    """The administrator; what was promoted is gone behind the test."""
    admin = administrator(server)
    yield admin
    for key in ("dev", "prod", "small", "kept"):
        for child in admin("GET", f"/api/storage/{key}").json["children"]:
            assert 200 == admin("POST", f"/api/move/{key}{child['uri']}?to=/files/gone").status
            assert 204 == admin("DELETE", "/files/gone").status


@pytest.fixture
def dev(server: Regproxy) -> Client:
    """An image where images come from."""
    return Client(server, root="/v2/dev")


def at(client: Client, key: str, name: str = "") -> Client:
    """An image elsewhere."""
    return Client(client.regproxy, name or client.name, f"/v2/{key}")


def promote(who: Asker, key: str = "dev", **wish: Any) -> Answer:
    """Ask for it, as jfrog-client-go does: what is not said is an empty text."""
    empty = dict.fromkeys(("targetDockerRepository", "tag", "targetTag"), "")
    body = {"targetRepo": "prod", "dockerRepository": "team/app", "copy": False, **empty, **wish}
    return who("POST", f"/artifactory/api/docker/{key}/v2/promote", body, content_type="application/json")


def has(client: Client, tag: str, image: Image) -> bool:
    """Whether everything is there, by tag and by digest."""
    named = client.ask("GET", f"manifests/{tag}")
    stored = [client.ask("GET", f"manifests/{each.digest}") for each in (image.index, *image.manifests)]
    blobs = [client.ask("GET", f"blobs/{digest}") for digest in image.blobs]
    right = [image.index.body, *(each.body for each in image.manifests), *image.blobs.values()]
    types = [image.index.media_type, *(each.media_type for each in image.manifests)]
    return (
        (named.status, named.body) == (200, image.index.body)
        and right == [each.body for each in (*stored, *blobs)]
        and types == [each.headers["content-type"] for each in stored]
    )


def statuses(client: Client, *references: str | Stored) -> list[int]:
    """Of manifests."""
    names = [each if isinstance(each, str) else each.digest for each in references]
    return [client.ask("HEAD", f"manifests/{name}").status for name in names]


def signed(client: Client, subject: Stored) -> Stored:
    """Push a signature."""
    signature, blobs = build_signature(subject)
    for data in blobs.values():
        client.push_blob(data)
    assert 201 == client.push(signature.digest, signature).status
    return signature


def test_copied(admin: Asker, dev: Client) -> None:
    """Every platform, under another name and tag, with the signatures; what was promoted stays, and no byte is there twice."""
    image, other = build_image(), build_image("other")
    dev.push_image("1", image)
    dev.push_image("2", other)
    signature = signed(dev, image.index)
    held = admin("GET", "/api/storageinfo").json["binariesSummary"]["binariesCount"]
    prod = at(dev, "prod", "released/app")
    wish: dict[str, Any] = {"targetDockerRepository": "released/app", "tag": "1", "targetTag": "stable", "copy": True}
    answer = promote(admin, **wish)
    assert (*DONE, "text/plain") == (answer.status, answer.body, answer.headers["content-type"])
    assert has(prod, "stable", image)
    assert ["stable"] == prod.tags().json["tags"]
    assert [404] == statuses(prod, other.index)
    listed = prod.ask("GET", f"referrers/{image.index.digest}").json["manifests"]
    assert [signature.digest] == [each["digest"] for each in listed]
    assert b"signed" == prod.ask("GET", f"blobs/{signature_blob(signature)}").body
    assert has(dev, "1", image)
    assert held == admin("GET", "/api/storageinfo").json["binariesSummary"]["binariesCount"]
    assert DONE == (promote(admin, **wish).status, promote(admin, **{**wish, "copy": "true"}).body)


def signature_blob(signature: Stored) -> str:
    """What it is made of."""
    return str(json.loads(signature.body)["layers"][0]["digest"])


def test_moved(admin: Asker, dev: Client) -> None:
    """Is how it is, unless a copy is wished for: what another tag names stays, and blobs stay, as with every delete."""
    image, other = build_image(), build_image("other")
    for tag in ("1", "same"):
        dev.push_image(tag, image)
    dev.push_image("2", other)
    signature = signed(dev, image.index)
    prod = at(dev, "prod")
    assert DONE == (promote(admin, tag="1").status, promote(admin, tag="2").body)
    assert has(prod, "1", image)
    assert has(prod, "2", other)
    assert has(dev, "same", image)
    assert [404, 404, 200, 404, 404, 404] == statuses(dev, "1", "2", signature, other.index, *other.manifests)
    assert {200} == {dev.ask("HEAD", f"blobs/{digest}").status for digest in other.blobs}
    assert DONE[0] == promote(admin, tag="same", targetTag="other").status
    assert [404] * 5 == statuses(dev, "same", signature, image.index, *image.manifests)
    assert (404, ["1", "2", "other"]) == (dev.tags().status, prod.tags().json["tags"])
    assert [signature.digest] == [each["digest"] for each in prod.ask("GET", f"referrers/{image.index.digest}").json["manifests"]]


def test_within_one_repository(admin: Asker, dev: Client) -> None:
    """A tag gets another name, in its image or in another one."""
    image = build_image()
    dev.push_image("1", image)
    assert DONE[0] == promote(admin, targetRepo="dev", tag="1", targetTag="2").status
    assert (["2"], True) == (dev.tags().json["tags"], has(dev, "2", image))
    wish = {"targetRepo": "dev", "targetDockerRepository": "team/other"}
    assert DONE[0] == promote(admin, **wish, tag="2").status
    assert ([404, 404], True) == (statuses(dev, "2", image.index), has(at(dev, "dev", "team/other"), "2", image))


def test_all_of_an_image(admin: Asker, dev: Client) -> None:
    """Without a tag: every tag, and what has none."""
    image, other, third = build_image(), build_image("other"), build_image("third")
    for tag, each in (("1", image), ("1", other), ("2", third)):
        dev.push_image(tag, each)
    prod = at(dev, "prod")
    assert DONE[0] == promote(admin, copy=True).status
    assert [200] * 3 == statuses(prod, image.index, *image.manifests)
    assert (has(prod, "1", other), has(prod, "2", third), ["1", "2"]) == (True, True, prod.tags().json["tags"])
    assert (True, True) == (has(dev, "1", other), has(dev, "2", third))
    assert DONE[0] == promote(admin).status
    assert [404] * 4 == statuses(dev, "1", "2", image.index, third.index)
    assert has(prod, "2", third)


def test_events_and_statistics(admin: Asker, dev: Client) -> None:
    """As of a push: a line for each node that came, and one for each that left."""
    image = build_image()
    dev.push_image("1", image)
    before = len(admin.regproxy.log)
    assert DONE[0] == promote(admin, tag="1").status
    lines = ('"deployed"', '"prod"', "team/app/1/manifest.json"), ('"deleted"', '"dev"', "team/app/1/manifest.json")
    for words in lines:
        wait_until(partial(is_logged, admin.regproxy, before, words))
    info = admin("GET", "/api/storage/prod/team/app/1/manifest.json").json
    assert ("admin", "admin", str(len(image.index.body))) == (info["createdBy"], info["modifiedBy"], info["size"])
    assert 0 == admin("GET", "/api/storage/prod/team/app/1/manifest.json?stats").json["downloadCount"]


def is_logged(regproxy: Regproxy, since: int, words: tuple[str, ...]) -> bool:
    """Whether a line has all of them."""
    return any(all(word in line for word in words) for line in regproxy.log[since:].splitlines())


def test_properties_go_along(admin: Asker, dev: Client) -> None:
    """Those of tags and manifests, as with every copy."""
    image = build_image()
    dev.push_image("1", image)
    for path in ("1", image.index.digest):
        assert 204 == admin("PUT", f"/api/storage/dev/team/app/{path}/manifest.json?properties=k={path[:3]}").status
    assert DONE[0] == promote(admin, tag="1", targetTag="2").status
    for path, value in (("2", "1"), (image.index.digest, "sha")):
        shown = admin("GET", f"/api/storage/prod/team/app/{path}/manifest.json?properties").json["properties"]
        assert {"k": [value]} == shown


def test_retention(admin: Asker, dev: Client) -> None:
    """Of the target, as behind a push."""
    kept = at(dev, "kept")
    for tag in ("1", "2"):
        dev.push_image(tag, build_image(tag))
        assert DONE[0] == promote(admin, targetRepo="kept", tag=tag).status
    assert ["2"] == kept.tags().json["tags"]
    assert DONE[0] == promote(admin, "kept", targetRepo="kept", tag="2", targetTag="3").status
    assert (["3"], True) == (kept.tags().json["tags"], has(kept, "3", build_image("2")))


@pytest.mark.parametrize(
    ("wish", "status", "text"),
    [
        ({"tag": "nothing"}, 404, "team/app:nothing"),
        ({"dockerRepository": "team/nothing"}, 404, "team/nothing"),
        ({"targetRepo": "nothing"}, 404, "nothing"),
        ({"targetRepo": "files"}, 400, "files"),
        ({"targetRepo": "hub"}, 400, "hub"),
        ({"targetRepo": "all"}, 400, "all"),
        ({"targetRepo": ""}, 400, "targetRepo"),
        ({"targetRepo": None}, 400, "targetRepo"),
        ({"dockerRepository": ""}, 400, "dockerRepository"),
        ({"dockerRepository": "Team/../app"}, 400, "name of an image"),
        ({"targetDockerRepository": "a b"}, 400, "name of an image"),
        ({"tag": "sha256:" + "0" * 64}, 400, "tag"),
        ({"tag": "a/b"}, 400, "tag"),
        ({"targetTag": "2"}, 400, "targetTag"),
        ({"tag": "1", "targetTag": "-"}, 400, "tag"),
        ({"tag": "1", "targetRepo": "dev"}, 400, "where it is"),
        ({"targetRepo": "dev"}, 400, "where it is"),
        ({"copy": 3}, 400, "copy"),
        ({"copy": "perhaps"}, 400, "copy"),
    ],
)
def test_what_makes_no_sense(admin: Asker, dev: Client, wish: dict[str, Any], status: int, text: str) -> None:
    """Is refused in the envelope that scripts read, and changes nothing."""
    image = build_image()
    dev.push_image("1", image)
    answer = promote(admin, **wish)
    assert (status, status) == (answer.status, answer.json["errors"][0]["status"]), answer.body
    assert text in answer.error
    assert has(dev, "1", image)
    assert 404 == at(dev, "prod").tags().status


def test_from_what_is_not_local(admin: Asker) -> None:
    """Nothing is promoted from a remote or a virtual repository; other bodies and methods are refused."""
    for key in ("hub", "all"):
        answer = promote(admin, key, tag="1")
        assert (400, True) == (answer.status, "local" in answer.error)
    for body in (b"", b"[]", b"{", b"\xff", b"x" * 100_000):
        assert admin("POST", "/api/docker/dev/v2/promote", body).status in (400, 413)
    assert 404 == admin("GET", "/api/docker/dev/v2/promote").status
    assert 404 == promote(admin, "files", tag="1").status


def test_no_room(admin: Asker, dev: Client) -> None:
    """Then nothing of it can be seen, and nothing has moved."""
    image = build_image()
    dev.push_image("1", image)
    answer = promote(admin, targetRepo="small", tag="1")
    assert (413, True) == (answer.status, "may hold 10000 bytes" in answer.error)
    small = at(dev, "small")
    assert (404, [404] * 3) == (small.tags().status, statuses(small, image.index, *image.manifests))
    assert {404} == {small.ask("HEAD", f"blobs/{digest}").status for digest in image.blobs}
    assert has(dev, "1", image)


def test_not_whole(admin: Asker, dev: Client) -> None:
    """What lacks something is not promoted, as it could not be pushed."""
    image = build_image()
    dev.push_image("1", image)
    assert 202 == dev.ask("DELETE", f"blobs/{image.layers[0][0]}").status
    answer = promote(admin, tag="1")
    assert (409, True) == (answer.status, image.layers[0][0] in answer.error)
    assert (404, [200]) == (at(dev, "prod").tags().status, statuses(dev, "1"))


def test_rights(admin: Asker, dev: Client) -> None:
    """To read here and write there; to move it, and to put a tag in place of another, to delete."""
    image, other = build_image(), build_image("other")
    dev.push_image("1", image)
    dev.push_image("2", other)
    nobody = promote(admin.by(basic("nobody", "wrong")), tag="1")
    assert 401 == nobody.status
    ann = admin.make("ann")

    def let(here: list[str], there: list[str]) -> None:
        for key, actions in (("dev", here), ("prod", there)):
            place = {"repositories": [key], "actions": {"users": {"ann": actions}}}
            assert admin("PUT", f"/api/v2/security/permissions/{key}", {"name": key, "repo": place}).status in (200, 201)

    for there, status in ((["read"], 403), (["read", "write"], 200)):
        let(["read"], there)
        assert status == promote(ann, tag="1", copy=True).status, there
    prod = at(dev, "prod")
    assert 403 == promote(ann, tag="1").status
    assert [200, 200] == [*statuses(dev, "1"), *statuses(prod, "1")]
    refused = promote(ann, tag="2", targetTag="1", copy=True)
    assert (403, True) == (refused.status, has(prod, "1", image))
    assert [404] == statuses(prod, other.index)
    let(["read", "delete"], ["write", "delete"])
    assert 200 == promote(ann, tag="2", targetTag="1").status
    assert (True, [404]) == (has(prod, "1", other), statuses(dev, "2"))
    for kind in ("security/users/ann", "v2/security/permissions/dev", "v2/security/permissions/prod"):
        assert 200 == admin("DELETE", f"/api/{kind}").status


def test_hidden(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Who may not read an image does not promote it, nor learn of repositories; who shows nothing is asked who he is."""
    repositories = images("dev") + images("prod")
    regproxy = Regproxy(tmp_path_factory.mktemp("hidden"), repositories)
    regproxy.start()
    try:
        Client(regproxy, root="/v2/dev").push_image("1", build_image())
        regproxy.terminate()
        regproxy.repositories = "[access]\nanonymous = false\n" + repositories
        regproxy.start()
        admin = administrator(regproxy)
        ann = admin.make("ann")
        assert (401, 404) == (promote(admin.by(""), tag="1").status, promote(ann, tag="1").status)
        for here, there, status in ((["write"], ["read", "write"], 403), (["read"], [], 404), (["read"], ["read", "write"], 200)):
            for key, actions in (("dev", here), ("prod", there)):
                place = {"repositories": [key], "actions": {"users": {"ann": actions}}}
                assert admin("PUT", f"/api/v2/security/permissions/{key}", {"name": key, "repo": place}).status in (200, 201)
            assert status == promote(ann, tag="1", copy=True).status, (here, there)
    finally:
        regproxy.close()


def test_killed_on_the_way(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What moves is whole in one place or the other, and no tag names what is not there."""
    regproxy = Regproxy(tmp_path_factory.mktemp("killed"), images("dev") + images("prod"))
    regproxy.start()
    try:
        dev, who = Client(regproxy, root="/v2/dev"), administrator(regproxy)
        made = {str(number): build_image(str(number)) for number in range(8)}
        for tag, image in made.items():
            dev.push_image(tag, image)
        asking = threading.Thread(target=asked_till_killed, args=(who,))
        asking.start()
        wait_until(lambda: at(dev, "prod").tags().status == 200)
        regproxy.restart(kill=True)
        asking.join()
        prod = at(dev, "prod")
        for tag, image in made.items():
            assert has(dev, tag, image) or has(prod, tag, image)
            assert statuses(prod, tag) == [404] or has(prod, tag, image)
        assert promote(who).status in (200, 404)
        assert all(has(prod, tag, image) for tag, image in made.items())
    finally:
        regproxy.close()


def asked_till_killed(who: Asker) -> None:
    """The answer does not come, or it does."""
    try:
        promote(who)
    except OSError:
        return
