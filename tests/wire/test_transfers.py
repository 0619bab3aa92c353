"""Copies and moves of a real server: what they carry, what they need, and what they leave."""

from collections.abc import Iterator

import pytest

from tests.fakes.deploying import ask, local, sums
from tests.fakes.files import remote, serving
from tests.fakes.process import Regproxy
from tests.wire.test_life import wait_until
from tests.wire.test_people import READ, Asker
from tests.wire.test_repositories import administrator, empty

TREE = ("src/a.txt;k=v;k=w", "src/sub/b.txt", "src/sub/deep/c.txt")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Regproxy]:
    """Local repositories, one with a quota, one of images, and a remote that has fetched one file."""
    with serving({"/x/cached.bin": b"cached"}) as upstream:
        up = remote(upstream.url).replace('key = "files"', 'key = "up"')
        small = local("small", 'maxBytes = "10"', 'excludesPattern = "no/**"')
        images = local("images").replace("generic", "docker")
        regproxy = Regproxy(tmp_path_factory.mktemp("transfers"), local() + local("other") + small + images + up)
        regproxy.start()
        assert b"cached" == ask(regproxy, "GET", "/up/x/cached.bin").body
        wait_until(lambda: ask(regproxy, "GET", "/api/storage/up/x/cached.bin").status == 200)
        yield regproxy
        regproxy.close()


@pytest.fixture
def admin(server: Regproxy) -> Iterator[Asker]:
    """The administrator, with a fresh tree in ``files``."""
    admin = administrator(server)
    for path in TREE:
        assert 201 == admin("PUT", f"/files/{path}", path.encode()).status
    yield admin
    empty(admin, "files", "other", "small")


def told(who: Asker, target: str, status: int = 200) -> str:
    """The last message about a copy or a move."""
    answer = who("POST", f"/artifactory/api/{target}")
    assert (status, True) == (answer.status, answer.json["messages"] != []), answer.body
    return str(answer.json["messages"][-1]["message"])


def listed(who: Asker, key: str) -> list[str]:
    """All files and folders."""
    answer = who("GET", f"/api/storage/{key}?list&deep=1&listFolders=1")
    return [each["uri"] + ("/" if each["folder"] else "") for each in answer.json["files"]]


def test_one_file(admin: Asker) -> None:
    """With its bytes, its properties and its birthday, and no byte more in the store."""
    assert "1 artifacts and 0 folders were copied" in told(admin, "copy/files/src/a.txt?to=/other/x/copy.txt")
    before, after = (admin("GET", f"/api/storage/{path}").json for path in ("files/src/a.txt", "other/x/copy.txt"))
    assert [before[name] for name in ("created", "checksums", "size")] == [
        after[name] for name in ("created", "checksums", "size")
    ]
    assert {"k": ["v", "w"]} == admin("GET", "/api/storage/other/x/copy.txt?properties").json["properties"]
    got = admin("GET", "/other/x/copy.txt")
    assert (TREE[0].encode(), sums(TREE[0].encode())["sha1"]) == (got.body, got.headers["x-checksum-sha1"])
    assert "1 artifacts" in told(admin, "move/other/x/copy.txt?to=/other/y/")
    assert ["/x/", "/y/", "/y/copy.txt"] == listed(admin, "other")


def test_folders(admin: Asker) -> None:
    """Into one that is there, else to be it; empty ones and their properties, too; a move leaves nothing behind."""
    assert 201 == admin("PUT", "/files/src/empty/").status
    assert 204 == admin("PUT", "/api/storage/files/src/sub?properties=f=1&recursive=0").status
    assert "3 artifacts and 4 folders were copied" in told(admin, "copy/files/src?to=/other/new")
    tree = ["/new/", "/new/a.txt", "/new/empty/", "/new/sub/", "/new/sub/b.txt", "/new/sub/deep/", "/new/sub/deep/c.txt"]
    assert tree == listed(admin, "other")
    assert {"f": ["1"]} == admin("GET", "/api/storage/other/new/sub?properties").json["properties"]
    assert "3 artifacts" in told(admin, "copy/files/src/?to=/other/new")
    assert 200 == admin("GET", "/other/new/src/sub/deep/c.txt").status
    assert "3 artifacts and 4 folders were moved" in told(admin, "move/files/src?to=/other")
    assert ([], 200) == (listed(admin, "files"), admin("GET", "/other/src/sub/deep/c.txt").status)
    assert "6 artifacts" in told(admin, "copy/other/new?to=/files/")
    assert "9 artifacts" in told(admin, "copy/other?to=/files/all")


def test_what_a_remote_has(admin: Asker) -> None:
    """Is copied, by either name, and stays; it does not move."""
    for key in ("up", "up-cache"):
        assert "1 artifacts" in told(admin, f"copy/{key}/x?to=/other/{key}")
        got = admin("GET", f"/other/{key}/cached.bin")
        assert (b"cached", "local") == (got.body, got.headers["x-regproxy-cache"])
    assert "remoteUrl" not in admin("GET", "/api/storage/other/up/cached.bin").json
    assert 400 == admin("POST", "/api/move/up/x/cached.bin?to=/other/x").status
    assert 200 == admin("GET", "/api/storage/up/x/cached.bin").status


def test_dry(admin: Asker) -> None:
    """Says what would be done, and does nothing; trouble is seen as well."""
    assert "dry run of moving" in told(admin, "move/files/src?to=/other/x&dry=1")
    assert ([], 200) == (listed(admin, "other"), admin("GET", "/files/src/a.txt").status)
    told(admin, "copy/files/src/sub/b.txt?to=/small/b.txt&dry=1", 413)


def test_trouble(admin: Asker) -> None:
    """With one file: the others go on, unless that is not wanted; nothing is lost by a move that could not be made."""
    assert 201 == admin("PUT", "/other/src/sub", b"a file where a folder would be").status
    assert "4 errors, 1 artifacts were moved" in told(admin, "move/files/src?to=/other", 409)
    assert ["/src/", "/src/sub/", "/src/sub/b.txt", "/src/sub/deep/", "/src/sub/deep/c.txt"] == listed(admin, "files")
    assert "1 errors" in told(admin, "copy/files/src?to=/other&failFast=1", 409)
    assert "excludes" in admin("POST", "/api/copy/files/src/sub/b.txt?to=/small/no/b").error


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("copy/files/src", 400),
        ("copy/files/src?to=", 400),
        ("copy/files/src?to=/", 400),
        ("copy/files/src?to=/other/../x", 400),
        ("copy/files/src?to=/other//x", 400),
        ("copy/files/src?to=/other/%00", 400),
        ("copy/files/src?to=/other/x&dry=perhaps", 400),
        ("copy/files/src?to=/up/x", 400),
        ("copy/files/src?to=/images/x", 400),
        ("copy/files/src?to=/files", 400),
        ("copy/files/src?to=/files/src/sub", 400),
        ("move/files/src/a.txt?to=/files/src/a.txt", 400),
        ("copy/files/none?to=/other/x", 404),
        ("copy/files/src?to=/none/x", 404),
        ("copy/none/src?to=/other/x", 404),
    ],
)
def test_refusals(admin: Asker, target: str, status: int) -> None:
    """What makes no sense, and what is not there."""
    answer = admin("POST", f"/api/{target}")
    assert status == answer.status, answer.body
    assert (status, []) == (answer.json["errors"][0]["status"], listed(admin, "other"))


def test_rights(admin: Asker) -> None:
    """At both ends: reading and, for a move, deleting here; writing and, to replace, deleting there."""
    ann = admin.make("ann")
    for name in ("Anything", "Any Remote"):
        admin("DELETE", f"/api/v2/security/permissions/{name.replace(' ', '%20')}")

    def may(key: str, *actions: str, **more: list[str]) -> None:
        place = {"repositories": [key], "actions": {"users": {"ann": actions}}, **more}
        assert admin("PUT", f"/api/v2/security/permissions/{key}", {"name": key, "repo": place}).status in (200, 201)

    assert 404 == ann("POST", "/api/copy/files/src?to=/other/x").status
    may("files", *READ, **{"exclude-patterns": ["src/sub/deep/**"]})
    assert 404 == ann("POST", "/api/copy/files/src?to=/other/x").status
    may("other", *READ)
    assert 403 == ann("POST", "/api/copy/files/src?to=/other/x").status
    may("other", *READ, "write")
    assert "2 artifacts" in told(ann, "copy/files/src?to=/other/x")
    assert ["/x/", "/x/a.txt", "/x/sub/", "/x/sub/b.txt"] == listed(admin, "other")  # not even the name of what is hidden
    told(ann, "copy/files/src/a.txt?to=/other/x/a.txt", 403)
    may("other", *READ, "write", "delete")
    told(ann, "copy/files/src/a.txt?to=/other/x/a.txt")
    assert 403 == ann("POST", "/api/move/files/src/a.txt?to=/other/y").status
    may("files", *READ, "delete", **{"exclude-patterns": ["src/sub/deep/**"]})
    assert 403 == ann("POST", "/api/move/files/src?to=/other/y").status
    told(ann, "move/files/src/a.txt?to=/other/y")
    assert 401 == admin.by("")("POST", "/api/copy/files/src?to=/other/z").status
    for name in ("security/users/ann", "v2/security/permissions/files", "v2/security/permissions/other"):
        assert 200 == admin("DELETE", f"/api/{name}").status
