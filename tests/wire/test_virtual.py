"""A virtual repository of files over real sockets: whose bytes they are, what an outage is, uploads, listings, and REST."""

import threading
from collections.abc import Iterator

import pytest
from attrs import frozen

from tests.fakes.deploying import ask, local
from tests.fakes.files import Files, remote, serving
from tests.fakes.people import basic
from tests.fakes.process import Regproxy
from tests.wire.test_life import wait_until

BIG = bytes(range(256)) * 16384
DEAD = "http://127.0.0.1:9"


def virtual(key: str, *members: str, deploys: str = "") -> str:
    """The table of a virtual repository."""
    names = ", ".join(f'"{each}"' for each in members)
    head = f'[[repository]]\nkey = "{key}"\nrclass = "virtual"\npackageType = "generic"\nrepositories = [{names}]\n'
    return head + (f'defaultDeploymentRepo = "{deploys}"\n' if deploys else "")


def named(url: str, key: str, *further: str) -> str:
    """The table of a remote repository."""
    return remote(url, *further).replace('"files"', f'"{key}"')


@frozen
class Scene:
    """Files of two upstreams and a local repository; one more upstream is down."""

    regproxy: Regproxy
    near: Files
    far: Files


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One server for all."""
    near, far = {"/a": b"near", "/n": b"n", "/big": BIG}, {"/a": b"far", "/f": b"f", "/mine": b"theirs", "/d/x": b"x"}
    with serving(near) as one, serving(far) as other:
        tables = [
            local("mine"),
            named(one.url, "near"),
            named(other.url, "far"),
            named(DEAD, "down"),
            named(DEAD, "hard", "hardFail = true"),
            virtual("all", "near", "far", "mine", deploys="mine"),
            virtual("more", "down", "all"),
            virtual("strict", "hard", "all"),
            virtual("read", "near"),
        ]
        regproxy = Regproxy(tmp_path_factory.mktemp("virtual"), "\n".join(tables))
        regproxy.start()
        try:
            yield Scene(regproxy, one, other)
        finally:
            regproxy.close()


def test_whose_bytes(scene: Scene) -> None:
    """Of a path the local one's, then what is held, then upstream's in order; nothing is asked of others."""
    regproxy = scene.regproxy
    assert 201 == ask(regproxy, "PUT", "/mine/mine", b"ours").status
    for path, data in (("a", b"near"), ("f", b"f"), ("mine", b"ours")):
        answer = ask(regproxy, "GET", f"/all/{path}")
        assert (200, data) == (answer.status, answer.body)
    assert 0 == scene.far.asked["GET", "/a"] == scene.far.asked["GET", "/mine"]
    wait_until(lambda: ask(regproxy, "GET", "/api/storage/near/a").status == 200)
    assert 404 == ask(regproxy, "GET", "/all/none").status
    part = ask(regproxy, "GET", "/all/mine", range="bytes=1-2")
    assert (206, b"ur", "bytes 1-2/4") == (part.status, part.body, part.headers["content-range"])


def test_crowd(scene: Scene) -> None:
    """One fill for those who ask the virtual repository and those who ask its member; HEAD and GET agree."""
    scene.near.hold.clear()
    got: list[bytes] = []
    threads = [
        threading.Thread(target=lambda key=key: got.append(ask(scene.regproxy, "GET", f"/{key}/big").body))
        for key in ("all", "near", "more")
    ]
    for each in threads:
        each.start()
    wait_until(lambda: scene.near.asked["GET", "/big"] == 1)
    scene.near.hold.set()
    for each in threads:
        each.join(60)
    assert [BIG] * 3 == got
    assert 1 == scene.near.asked["GET", "/big"]
    told = ask(scene.regproxy, "HEAD", "/all/big")
    assert (str(len(BIG)), "hit") == (told.headers["content-length"], told.headers["x-regproxy-cache"])


def test_outages(scene: Scene) -> None:
    """A member that is down hides nothing, and its silence is no 404; with ``hardFail`` it stops the search."""
    assert b"f" == ask(scene.regproxy, "GET", "/more/f").body
    absent = ask(scene.regproxy, "GET", "/more/none")
    assert absent.status in (502, 503, 504)
    assert ask(scene.regproxy, "GET", "/strict/n").status in (502, 503, 504)


def test_uploads(scene: Scene) -> None:
    """They go to the one that takes them, and every address that is told leads through the virtual one."""
    regproxy = scene.regproxy
    made = ask(regproxy, "PUT", "/all/up/file;kind=odd", b"data")
    assert (201, "all", f"{regproxy.base_url}/all/up/file") == (made.status, made.json["repo"], made.json["downloadUri"])
    assert b"data" == ask(regproxy, "GET", "/mine/up/file").body == ask(regproxy, "GET", "/all/up/file").body
    info = ask(regproxy, "GET", "/api/storage/all/up/file").json
    assert b"data" == ask(regproxy, "GET", info["downloadUri"].removeprefix(regproxy.base_url)).body
    assert {"kind": ["odd"]} == ask(regproxy, "GET", "/api/storage/all/up/file?properties").json["properties"]
    wait_until(lambda: ask(regproxy, "GET", "/api/storage/mine/up/file?stats").json["downloadCount"] == 3)
    assert 204 == ask(regproxy, "DELETE", "/all/up/file").status
    assert 404 == ask(regproxy, "GET", "/mine/up/file").status
    for method in ("PUT", "DELETE"):
        refused = ask(regproxy, method, "/read/x", b"")
        assert (405, True) == (refused.status, "defaultDeploymentRepo" in refused.error)


def test_folders(scene: Scene) -> None:
    """What lies in a folder of any member, once."""
    regproxy = scene.regproxy
    assert b"x" == ask(regproxy, "GET", "/all/d/x").body
    assert 201 == ask(regproxy, "PUT", "/all/d/y", b"y").status
    wait_until(lambda: ask(regproxy, "GET", "/api/storage/far/d/x").status == 200)
    assert ["/x", "/y"] == [each["uri"] for each in ask(regproxy, "GET", "/api/storage/all/d").json["children"]]
    assert ["/x", "/y"] == [each["uri"] for each in ask(regproxy, "GET", "/api/storage/all/d?list").json["files"]]
    page = ask(regproxy, "GET", "/all/d/").body
    assert (1, 1) == (page.count(b">x<"), page.count(b">y<"))
    assert "/all/d/" == ask(regproxy, "GET", "/all/d").headers["location"]
    found = ask(regproxy, "GET", "/api/search/artifact?name=y&repos=all").json["results"]
    assert [f"{regproxy.base_url}/api/storage/mine/d/y"] == [each["uri"] for each in found]
    assert 400 == ask(regproxy, "POST", "/api/copy/all/d?to=/mine/copy").status


def test_made_by_rest(scene: Scene) -> None:
    """Made, shown, listed, changed; a member that is removed drops out, for good."""
    regproxy = scene.regproxy
    by = basic("admin", (regproxy.data_dir / "admin.password").read_text().strip())

    def rest(method: str, key: str, body: bytes | None = None) -> tuple[int, bytes]:
        answer = ask(regproxy, method, f"/api/repositories{key}", body, authorization=by)
        return answer.status, answer.body

    assert 200 == rest("PUT", "/extra", b'{"rclass": "local"}')[0]
    said = b'{"rclass": "virtual", "repositories": ["extra", "near"], "defaultDeploymentRepo": "extra", "odd": 1}'
    assert 200 == rest("PUT", "/made", said)[0]
    assert b"n" == ask(regproxy, "GET", "/made/n").body
    shown = ask(regproxy, "GET", "/api/repositories/made", authorization=by).json
    assert (["extra", "near"], "extra", 1) == (shown["repositories"], shown["defaultDeploymentRepo"], shown["odd"])
    listed = ask(regproxy, "GET", "/api/repositories?type=virtual").json
    assert {"all", "made", "more", "read", "strict"} == {each["key"] for each in listed}
    status, text = rest("POST", "/made", b'{"repositories": ["made"]}')
    assert (400, True) == (status, b"lead back" in text)
    assert 200 == rest("DELETE", "/extra")[0]
    assert 200 == rest("PUT", "/extra", b'{"rclass": "local"}')[0]
    shown = ask(regproxy, "GET", "/api/repositories/made", authorization=by).json
    assert (["near"], "") == (shown["repositories"], shown["defaultDeploymentRepo"])
    assert 200 == rest("POST", "/made", b'{"repositories": ["far", "near"]}')[0]
    assert b"f" == ask(regproxy, "GET", "/made/f").body
    assert [200, 200] == [rest("DELETE", key)[0] for key in ("/made", "/extra")]
    assert 404 == ask(regproxy, "GET", "/made/f").status
