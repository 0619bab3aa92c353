"""Repositories that are made, changed and removed while a server runs, by one process and by several."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.deploying import ask, local
from tests.fakes.files import serving
from tests.fakes.people import basic
from tests.fakes.process import Regproxy
from tests.wire.test_life import wait_until
from tests.wire.test_people import READ, Asker

Start = Callable[..., Regproxy]
AT = "/artifactory/api/repositories"
LOCAL = {"rclass": "local", "packageType": "generic"}
SECRET = "5ecret"


def administrator(regproxy: Regproxy) -> Asker:
    """The first one."""
    return Asker(regproxy, basic("admin", (regproxy.data_dir / "admin.password").read_text().strip()))


def empty(admin: Asker, *keys: str) -> None:
    """Delete what local repositories have."""
    for key in keys:
        for child in admin("GET", f"/api/storage/{key}").json["children"]:
            assert 204 == admin("DELETE", f"/{key}{child['uri']}").status


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Regproxy]:
    """A server with one repository in its file, of two workers: each request may meet another one."""
    regproxy = Regproxy(tmp_path_factory.mktemp("repositories"), local(), server="workers = 2")
    regproxy.start()
    yield regproxy
    regproxy.close()


@pytest.fixture
def admin(server: Regproxy) -> Asker:
    """The administrator."""
    return administrator(server)


def test_made_used_and_removed(admin: Asker) -> None:
    """Whoever is told of a change meets it, whichever worker answers; what was in it has gone with it."""
    made = admin("PUT", f"{AT}/mine", {**LOCAL, "key": "mine", "description": "d", "xrayDataTtl": 90})
    assert (200, b"Successfully created repository 'mine' ") == (made.status, made.body)
    for number in range(20):
        assert 201 == ask(admin.regproxy, "PUT", f"/mine/a/{number}", b"x").status
    shown = admin("GET", f"{AT}/mine").json
    assert ("mine", "local", "d", 90) == tuple(shown[name] for name in ("key", "rclass", "description", "xrayDataTtl"))
    assert ["files", "mine"] == [each["key"] for each in admin("GET", AT).json]
    changed = admin("POST", f"{AT}/mine", {"excludesPattern": "secret/**"})
    assert (200, b"Repository mine update successfully.") == (changed.status, changed.body)
    assert {403} == {ask(admin.regproxy, "PUT", "/mine/secret/1", b"x").status for _ in range(8)}
    assert {200} == {ask(admin.regproxy, "GET", "/mine/a/1").status for _ in range(8)}
    removed = admin("DELETE", f"{AT}/mine")
    assert (200, 20, True) == (removed.status, removed.json["deletedArtifactsCount"], removed.json["success"])
    assert {404} == {ask(admin.regproxy, "GET", "/mine/a/1").status for _ in range(8)}
    assert 200 == admin("PUT", f"{AT}/mine", LOCAL).status
    assert [] == admin("GET", "/api/storage/mine").json["children"]
    assert 200 == admin("DELETE", f"{AT}/mine").status


def test_a_remote(admin: Asker) -> None:
    """It fetches at once; its secrets are never shown and are kept when they are not said."""
    with serving({"/a": b"data"}) as upstream:
        said = {"rclass": "remote", "url": upstream.url, "username": "me", "password": SECRET, "queryParams": f"k={SECRET}"}
        assert 200 == admin("PUT", f"{AT}/up", {**said, "customHttpHeaders": [{"name": "X-Key", "value": SECRET}]}).status
        shown = admin("GET", f"{AT}/up")
        assert SECRET.encode() not in shown.body
        assert 200 == admin("POST", f"{AT}/up", shown.json).status
        assert b"data" == ask(admin.regproxy, "GET", "/up/a").body
        wait_until(lambda: admin("GET", "/api/storage/up/a").status == 200)
        for path in (f"{AT}/configurations", AT):
            assert SECRET.encode() not in admin("GET", path).body
        assert 1 == admin("DELETE", f"{AT}/up").json["deletedArtifactsCount"]
        assert 404 == ask(admin.regproxy, "GET", "/up-cache/a").status


def test_rights_go_with_it(admin: Asker) -> None:
    """Whoever makes another one of the same key does not open it to those who might read the first one."""
    ann = admin.make("ann")
    assert 200 == admin("PUT", f"{AT}/mine", LOCAL).status
    place = {"repositories": ["mine", "files"], "actions": {"users": {"ann": READ}}}
    assert 201 == admin("PUT", "/api/v2/security/permissions/t", {"repo": place}).status
    assert 200 == admin("DELETE", f"{AT}/mine").status
    assert ["files"] == admin("GET", "/api/v2/security/permissions/t").json["repo"]["repositories"]
    assert 200 == admin("PUT", "/api/v2/security/permissions/Anything", {"repo": {"repositories": ["files"]}}).status
    assert 200 == admin("PUT", f"{AT}/mine", LOCAL).status
    assert 404 == ann("GET", "/api/storage/mine").status
    for path in (f"{AT}/mine", "/api/v2/security/permissions/t", "/api/security/users/ann"):
        assert 200 == admin("DELETE", path).status
    everybody = {"repositories": ["ANY"], "actions": {"users": {"anonymous": READ}}}
    assert 200 == admin("PUT", "/api/v2/security/permissions/Anything", {"repo": everybody}).status


def test_lists(admin: Asker) -> None:
    """Narrowed by class and type, whole configurations too."""
    assert 200 == admin("PUT", f"{AT}/images", {"rclass": "local", "packageType": "docker"}).status
    for query, keys in (("", ["files", "images"]), ("?packageType=docker", ["images"]), ("?type=remote", [])):
        assert keys == [each["key"] for each in admin("GET", AT + query).json]
    every = admin("GET", f"{AT}/configurations?repoType=local,remote&packageType=generic,docker").json
    assert {"LOCAL": ["files", "images"]} == {rclass: [each["key"] for each in found] for rclass, found in every.items()}
    assert 200 == admin("DELETE", f"{AT}/images").status


def test_refusals(admin: Asker) -> None:
    """With the reason in the envelope; nothing has changed then."""
    for method, key, said, status, text in (
        ("PUT", "files", LOCAL, 400, "already"),
        ("PUT", "new", {**LOCAL, "rclass": "federated"}, 400, "federated repositories are not there yet"),
        ("PUT", "new", {**LOCAL, "maxBytes": "much"}, 400, "maxBytes"),
        ("PUT", "new", b"{", 400, "body"),
        ("PUT", "new", [1], 400, "body"),
        ("POST", "files", {"notes": "n"}, 409, "configuration file"),
        ("POST", "none", {"notes": "n"}, 400, "there is no repository"),
        ("DELETE", "files", None, 409, "configuration file"),
        ("DELETE", "none", None, 404, "there is no repository"),
        ("GET", "none", None, 400, "there is no repository"),
    ):
        answer = admin(method, f"{AT}/{key}", said)
        assert (status, True) == (answer.status, text in answer.error), answer.body
    assert 400 == admin("HEAD", f"{AT}/none").status
    assert ["files"] == [each["key"] for each in admin("GET", AT).json]


def test_for_administrators(admin: Asker) -> None:
    """Others may neither make nor change nor remove one, whatever they may in it; nor see what it is to its upstream."""
    said = {"rclass": "remote", "url": "http://127.0.0.1:9", "username": "me", "notes": "internal", "odd": "x"}
    assert 200 == admin("PUT", f"{AT}/up", said).status
    ann, nobody = admin.make("ann"), admin.by("")
    assert 201 == admin.target("all", {"ann": [*READ, "write", "delete", "manage"]}, repositories=["ANY"]).status
    for who, status in ((ann, 403), (nobody, 401)):
        for method, key, body in (("PUT", "new", LOCAL), ("POST", "up", {"notes": "n"}), ("DELETE", "up", None)):
            assert status == who(method, f"{AT}/{key}", body).status
        assert status == who("GET", f"{AT}/configurations").status
        shown = who("GET", f"{AT}/up").json
        assert {"key": "up", "url": "http://127.0.0.1:9"}.items() <= shown.items()
        assert not {"username", "notes", "odd"} & shown.keys()
    assert ("me", "internal", "x") == tuple(admin("GET", f"{AT}/up").json[name] for name in ("username", "notes", "odd"))
    for path in (f"{AT}/up", "/api/security/users/ann", "/api/v2/security/permissions/all"):
        assert 200 == admin("DELETE", path).status


def test_changes_lose_no_request(admin: Asker) -> None:
    """Uploads and downloads of other repositories go on while some come and go."""
    regproxy, ends, statuses = admin.regproxy, threading.Event(), set[int]()

    def work(name: str) -> None:
        while not ends.is_set():
            statuses.add(ask(regproxy, "PUT", f"/files/{name}", name.encode()).status)
            statuses.add(ask(regproxy, "GET", f"/files/{name}").status)

    threads = [threading.Thread(target=work, args=(f"busy/{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for number in range(10):
        assert 200 == admin("PUT", f"{AT}/r{number}", LOCAL).status
    for number in range(10):
        assert 200 == admin("DELETE", f"{AT}/r{number}").status
    ends.set()
    for thread in threads:
        thread.join()
    assert {200, 201} == statuses


def test_they_survive(twist_regproxy: Start, tmp_path: Path) -> None:
    """A restart, a kill and a reload; the file may take one over, with everything in it, and give it back."""
    regproxy = twist_regproxy(local())
    admin = administrator(regproxy)
    assert 200 == admin("PUT", f"{AT}/mine", {**LOCAL, "notes": "made"}).status
    assert 201 == ask(regproxy, "PUT", "/mine/a", b"a").status
    regproxy.restart(kill=True)
    assert b"a" == ask(regproxy, "GET", "/mine/a").body
    regproxy.terminate()
    regproxy.repositories = local() + local("mine", 'notes = "declared"')
    regproxy.start()
    assert (b"a", "declared") == (ask(regproxy, "GET", "/mine/a").body, admin("GET", f"{AT}/mine").json["notes"])
    assert 409 == admin("DELETE", f"{AT}/mine").status
    regproxy.terminate()
    regproxy.repositories = local()
    regproxy.start()
    assert (b"a", "made") == (ask(regproxy, "GET", "/mine/a").body, admin("GET", f"{AT}/mine").json["notes"])
