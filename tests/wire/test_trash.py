"""The trash can of a real server: what is deleted goes there, comes back, and ends."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.fakes.deploying import Answer, local
from tests.fakes.process import Regproxy
from tests.wire.test_people import READ, Asker
from tests.wire.test_repositories import administrator

CAN = "/artifactory/api/trash"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Regproxy]:
    """One that keeps what is deleted."""
    images = local("images").replace("generic", "docker")
    regproxy = Regproxy(tmp_path_factory.mktemp("trash"), "[store]\ntrashDays = 14\n" + local() + local("other") + images)
    regproxy.start()
    yield regproxy
    regproxy.close()


@pytest.fixture
def admin(server: Regproxy) -> Iterator[Asker]:
    """The administrator, with a file and a folder of two; everything has gone behind the test."""
    admin = administrator(server)
    for path in ("a.txt;k=v", "dir/b.txt", "dir/sub/c.txt"):
        assert 201 == admin("PUT", f"/files/{path}", path.encode()).status
    yield admin
    for child in admin("GET", "/api/storage/files").json["children"]:
        admin("DELETE", f"/files{child['uri']}")
    assert 200 == admin("POST", f"{CAN}/empty").status


def held(who: Asker, key: str) -> list[str]:
    """All files of a repository."""
    return [each["uri"] for each in who("GET", f"/api/storage/{key}?list&deep=1").json["files"]]


def deleted(admin: Asker, path: str) -> Answer:
    """Delete something, and look at it in the can."""
    assert 204 == admin("DELETE", f"/files/{path}").status
    assert 404 == admin("GET", f"/files/{path}").status
    return admin("GET", f"/api/storage/auto-trashcan/files/{path}")


def test_a_file(admin: Asker) -> None:
    """With all that is known of it, and what was noted; put back it is as it was."""
    before = admin("GET", "/api/storage/files/a.txt").json
    assert before["checksums"] == deleted(admin, "a.txt").json["checksums"]
    noted = admin("GET", "/api/storage/auto-trashcan/files/a.txt?properties").json["properties"]
    assert (["admin"], ["files"], ["a.txt"], ["v"]) == tuple(
        noted[name] for name in ("trash.deletedBy", "trash.originalRepository", "trash.originalPath", "k")
    )
    assert b"a.txt;k=v" == admin("GET", "/auto-trashcan/files/a.txt").body
    assert 200 == admin("POST", f"{CAN}/restore/files/a.txt").status
    after = admin("GET", "/api/storage/files/a.txt").json
    assert [before[name] for name in ("created", "createdBy", "checksums")] == [
        after[name] for name in ("created", "createdBy", "checksums")
    ]
    assert {"k": ["v"]} == admin("GET", "/api/storage/files/a.txt?properties").json["properties"]
    assert [] == held(admin, "auto-trashcan")


def test_a_folder(admin: Asker) -> None:
    """As a whole, and back into what has been put there meanwhile, or to another place."""
    assert 200 == deleted(admin, "dir").status
    assert ["/files/dir/b.txt", "/files/dir/sub/c.txt"] == held(admin, "auto-trashcan")
    assert 201 == admin("PUT", "/files/dir/new.txt", b"new").status
    assert 200 == admin("POST", f"{CAN}/restore/files/dir").status
    assert ["/a.txt", "/dir/b.txt", "/dir/new.txt", "/dir/sub/c.txt"] == held(admin, "files")
    deleted(admin, "dir")
    assert 200 == admin("POST", f"{CAN}/restore/files/dir?to={quote('/other/back')}").status
    assert ["/back/b.txt", "/back/new.txt", "/back/sub/c.txt"] == held(admin, "other")
    assert 204 == admin("DELETE", "/other/back").status
    assert ["/other/back/b.txt", "/other/back/new.txt", "/other/back/sub/c.txt"] == held(admin, "auto-trashcan")


def test_the_last_one_stays(admin: Asker) -> None:
    """Of files that were deleted under one name, or where a folder lies now."""
    deleted(admin, "a.txt")
    assert 201 == admin("PUT", "/files/a.txt", b"second").status
    deleted(admin, "a.txt")
    assert b"second" == admin("GET", "/auto-trashcan/files/a.txt").body
    assert 201 == admin("PUT", "/files/a.txt/inside", b"in").status
    deleted(admin, "a.txt")
    assert ["/files/a.txt/inside"] == held(admin, "auto-trashcan")
    assert 201 == admin("PUT", "/files/a.txt", b"third").status
    deleted(admin, "a.txt")
    assert ["/files/a.txt"] == held(admin, "auto-trashcan")


def test_for_good(admin: Asker) -> None:
    """One, or all; what is deleted in the can does not come back to it."""
    deleted(admin, "a.txt")
    deleted(admin, "dir")
    assert 204 == admin("DELETE", f"{CAN}/clean/files/dir/b.txt").status
    assert 204 == admin("DELETE", "/auto-trashcan/files/a.txt").status
    assert ["/files/dir/sub/c.txt"] == held(admin, "auto-trashcan")
    assert 404 == admin("DELETE", f"{CAN}/clean/files/dir/b.txt").status
    assert 200 == admin("POST", f"{CAN}/empty").status
    assert [] == held(admin, "auto-trashcan")


def test_refusals(admin: Asker) -> None:
    """What is not there, and what would take it to where it cannot be; nothing is put in by hand."""
    deleted(admin, "a.txt")
    for target, status in (
        ("restore/files/none", 404),
        ("restore/files/a.txt?to=/none/x", 404),
        ("restore/files/a.txt?to=/images/x", 400),
        ("restore/files/a.txt?to=/other", 400),
    ):
        assert status == admin("POST", f"{CAN}/{target}").status
    assert 201 == admin("PUT", "/files/a.txt", b"again").status
    assert 403 == admin("PUT", "/auto-trashcan/files/x", b"x").status
    assert 400 == admin("PUT", "/api/repositories/auto-trashcan", {"rclass": "local"}).status
    assert "auto-trashcan" not in [each["key"] for each in admin("GET", "/api/repositories").json]


def test_for_administrators(admin: Asker) -> None:
    """Whatever others may elsewhere, to them there is no trash can."""
    deleted(admin, "a.txt")
    ann = admin.make("ann")
    assert 201 == admin.target("all", {"ann": [*READ, "write", "delete", "manage"]}, repositories=["ANY"]).status
    for path in ("/auto-trashcan/files/a.txt", "/api/storage/auto-trashcan/files/a.txt"):
        assert (404, 404) == (ann("GET", path).status, ann("DELETE", f"{path}?properties=k").status)
    for method, target in (("POST", "restore/files/a.txt"), ("POST", "empty"), ("DELETE", "clean/files/a.txt")):
        assert (403, 401) == tuple(who(method, f"{CAN}/{target}").status for who in (ann, admin.by("")))
    assert 404 == ann("POST", "/api/copy/files/dir?to=/auto-trashcan/x").status
    assert ["/files/a.txt"] == held(admin, "auto-trashcan")
    for name in ("security/users/ann", "v2/security/permissions/all"):
        assert 200 == admin("DELETE", f"/api/{name}").status
