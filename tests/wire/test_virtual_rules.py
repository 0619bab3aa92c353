"""What patterns and ``blackedOut`` close, over real sockets: every kind of repository, at every kind of its addresses."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from attrs import frozen

from tests.fakes.deploying import Answer, ask, local
from tests.fakes.files import Files, serving
from tests.fakes.index import Index
from tests.fakes.index_files import make_wheel
from tests.fakes.people import basic
from tests.fakes.process import Regproxy
from tests.fakes.publishing import pypi, upload
from tests.fakes.pushing import Client, images
from tests.wire import test_virtual_images, test_virtual_pypi
from tests.wire.test_life import wait_until
from tests.wire.test_oci_manifests import push_simple
from tests.wire.test_virtual import named, virtual

NEAR, BOTH = make_wheel("near", "1.0"), make_wheel("both", "1.0")
CLOSED = {"/.hidden/f": b"f", "/.seen/f": b"f", "/a": b"a", "/lib/a": b"a"}


@frozen
class Scene:
    """A server, an upstream of files, and one of packages."""

    regproxy: Regproxy
    files: Files
    index: Index

    def ask(self, path: str, method: str = "GET", body: bytes | None = None) -> Answer:
        """One request."""
        return ask(self.regproxy, method, path, body)

    def rest(self, method: str, key: str, said: dict[str, Any] | None = None) -> Answer:
        """Tell of a repository, as an administrator."""
        by = basic("admin", (self.regproxy.data_dir / "admin.password").read_text().strip())
        return ask(self.regproxy, method, f"/api/repositories/{key}", json.dumps(said), authorization=by)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One server for all."""
    hidden = 'excludesPattern = ".hidden/**"'
    with serving(CLOSED) as files, Index() as index:
        tables = [
            local("mine"),
            named(files.url, "open"),
            named(files.url, "shut", hidden),
            virtual("all", "open", "mine", deploys="mine") + hidden,
            virtual("over", "shut"),
            pypi(),
            index.remote("near", 'includesPattern = "near/**"'),
            index.remote("index"),
            test_virtual_pypi.virtual("some", "index", more='excludesPattern = "both/**"\n'),
            images("images"),
            images("hub").replace('"docker"', '"huggingfaceml"'),
            test_virtual_images.virtual("registry", "images", further='defaultDeploymentRepo = "images"'),
        ]
        for built in (NEAR, BOTH):
            index.add(built, metadata=True)
        regproxy = Regproxy(tmp_path_factory.mktemp("rules"), "\n".join(tables))
        regproxy.start()
        try:
            yield Scene(regproxy, files, index)
        finally:
            regproxy.close()


def test_patterns_hold_for_hidden_files(scene: Scene) -> None:
    """A file is one whatever its name begins with: what is excluded is neither served nor taken, and no upstream hears of it."""
    assert [200, 200] == [scene.ask(f"/{key}/.seen/f").status for key in ("all", "shut")]
    for path in ("/all/.hidden/f", "/shut/.hidden/f", "/over/.hidden/f"):
        told = scene.ask(path)
        assert (403, True) == (told.status, "by its patterns" in told.error), path
    assert 0 == scene.files.asked["GET", "/.hidden/f"]
    assert [403, 403] == [scene.ask(f"/all/.hidden/{name}", "PUT", b"").status for name in ("g", "d/")]
    assert 404 == scene.ask("/mine/.hidden/").status


def test_what_is_held_is_excluded_as_well(scene: Scene) -> None:
    """Under the companion's name, too."""
    assert 200 == scene.ask("/shut/a").status
    wait_until(lambda: scene.ask("/shut-cache/a").status == 200)
    assert 403 == scene.ask("/shut-cache/.hidden/f").status


def test_an_index_is_not_asked_for_what_is_excluded(scene: Scene) -> None:
    """Of a project none of whose files may be there it has no page, by whatever address."""
    file = f"packages/both/1.0/{BOTH.sha256}/{BOTH.filename}"
    for key in ("near", "some"):
        for below in ("simple/both/", "pypi/both/json", "pypi/both/1.0/json", ".pypi/both.json", ".pypi/api/both.json", file):
            told = scene.ask(f"/api/pypi/{key}/{below}")
            assert (403, True) == (told.status, b"by its patterns" in told.body), below
    assert [] == [each.path for each in scene.index.seen if "both" in each.path]
    for below in ("simple/near/", "simple/", "pypi/near/json", ".pypi/near.json", f"near/1.0/{NEAR.filename}"):
        assert 200 == scene.ask(f"/api/pypi/near/{below}").status, below


def below(key: str, rclass: str, package_type: str) -> list[tuple[str, str, bytes | None]]:
    """What is asked of a repository of a format: a remote takes nothing in any case, and lists no folders."""
    read: tuple[str, ...]
    match package_type:
        case "pypi":
            read = "simple/", "simple/near/", f"near/1.0/{NEAR.filename}", ".pypi/near.json", "pypi/near/json"
            found = [f"/{at}/{path}" for at in (key, f"api/pypi/{key}") for path in read]
            changes = [("POST", f"/api/pypi/{key}/"), ("DELETE", f"/{key}/near/1.0/{NEAR.filename}")]
        case "docker":
            read = "team/app/manifests/1", "team/app/tags/list", f"team/app/blobs/sha256:{'0' * 64}", "_catalog"
            found = [f"{at}/{path}" for at in (f"/v2/{key}", f"/api/docker/{key}/v2", f"/{key}/v2") for path in read]
            found += [f"/{key}/team/app/1/manifest.json"]
            changes = [("POST", f"/v2/{key}/team/app/blobs/uploads/"), ("PUT", f"/v2/{key}/team/app/manifests/1")]
        case "huggingfaceml":
            at = f"/api/huggingfaceml/{key}"
            read = "api/models", "api/models/a/b", "a/b/resolve/main/f", "api/models/a/b/tree/main", "api/models/a/b/refs"
            found = [f"{at}/{path}" for path in read]
            changes = [("POST", f"{at}/api/models/a/b/branch/new"), ("POST", f"{at}/api/repos/create")]
        case _:
            found = [f"/{key}/a", *([] if rclass == "remote" else [f"/{key}/", f"/{key}/lib/"])]
            changes = [("PUT", f"/{key}/b"), ("DELETE", f"/{key}/a"), ("PUT", f"/{key}/d/")]
    found += [f"/api/storage/{key}{path}" for path in ("", "/a", "?list", "/a?properties", "/a?stats")]
    body = b"" if package_type == "generic" else json.dumps({"name": "a/b", "type": "model"}).encode()
    always = [("POST", f"/api/copy/{key}/a?to=/mine/b", None), ("PUT", f"/api/storage/{key}/a?properties=k=v", None)]
    given = [] if rclass == "remote" else [(method, address, body) for method, address in changes]
    return [*(("GET", address, None) for address in found), *given, *(always if package_type == "generic" else [])]


DARK: dict[str, dict[str, Any]] = {
    "local": {"rclass": "local"},
    "remote": {"rclass": "remote", "url": "http://127.0.0.1:9"},
    "virtual": {"rclass": "virtual"},
}
LIT = {"generic": "mine", "pypi": "own", "docker": "images", "huggingfaceml": "hub"}


@pytest.mark.parametrize("package_type", list(LIT))
@pytest.mark.parametrize("rclass", list(DARK))
def test_blacked_out(scene: Scene, rclass: str, package_type: str) -> None:
    """Nothing is to be had of it at any address, and nothing put there; no search finds it, and its configuration is shown."""
    key = f"dark-{rclass}-{package_type}"
    members = {"repositories": [LIT[package_type]], "defaultDeploymentRepo": LIT[package_type]} if rclass == "virtual" else {}
    made = scene.rest("PUT", key, {**DARK[rclass], "packageType": package_type, "blackedOut": True, **members})
    assert 200 == made.status, made.body
    if rclass == "local":
        assert 200 == scene.rest("POST", key, {"blackedOut": False}).status
        _put_something(scene, key, package_type)
        assert 200 == scene.rest("POST", key, {"blackedOut": True}).status
    keys = [key, f"{key}-cache"] if rclass == "remote" else [key]
    for method, address, body in (each for name in keys for each in below(name, rclass, package_type)):
        told = scene.ask(address, method, body)
        said = told.body.decode() + told.headers.get("x-error-message", "")
        assert (403, True) == (told.status, f"{key} is blacked out" in said), (method, address, told.status, told.body)
    assert [] == scene.ask(f"/api/search/artifact?name=*&repos={key}").json["results"]
    assert scene.rest("GET", key).json["blackedOut"] is True
    assert 200 == scene.rest("DELETE", key).status


def _put_something(scene: Scene, key: str, package_type: str) -> None:
    match package_type:
        case "generic":
            assert 201 == scene.ask(f"/{key}/a", "PUT", b"a").status
        case "pypi":
            assert 200 == upload(scene.regproxy, NEAR, key=key).status
        case "docker":
            push_simple(Client(scene.regproxy, "team/app", f"/v2/{key}"), "1")


def test_a_member_through_one_that_is_blacked_out(scene: Scene) -> None:
    """Has no part either, but for names that are its own; by another way it has."""
    made: dict[str, dict[str, Any]] = {
        "inner": {"repositories": ["own", "near"], "blackedOut": True},
        "outer": {"repositories": ["index", "inner"]},
        "beside": {"repositories": ["index", "inner", "own"]},
    }
    for key, said in made.items():
        assert 200 == scene.rest("PUT", key, {"rclass": "virtual", "packageType": "pypi", **said}).status
    ours = make_wheel("both", "0.1")
    assert 200 == scene.ask("/api/pypi/outer/simple/both/").status
    assert 200 == upload(scene.regproxy, ours).status
    assert [404, 200] == [scene.ask(f"/api/pypi/{key}/simple/both/").status for key in ("outer", "beside")]
    assert 204 == scene.ask("/own/both", "DELETE").status
    assert 200 == scene.ask("/api/pypi/outer/simple/both/").status


def test_keys_without_a_meaning(scene: Scene) -> None:
    """By REST they are kept, as others that nobody reads, and nothing comes of them."""
    said = {"rclass": "virtual", "repositories": ["mine"], "offline": True, "hardFail": True, "maxBytes": "1"}
    assert 200 == scene.rest("PUT", "kept", said).status
    shown = scene.rest("GET", "kept").json
    assert (True, True, "1") == (shown["offline"], shown["hardFail"], shown["maxBytes"])
    assert 201 == scene.ask("/mine/kept", "PUT", b"much").status
    assert b"much" == scene.ask("/kept/kept").body
