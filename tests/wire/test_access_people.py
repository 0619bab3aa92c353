"""Users, groups and permissions by ``/access/api/v2``, as newer scripts and provisioning tools ask for them."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.deploying import local
from tests.fakes.people import PASSWORD, basic
from tests.fakes.process import Regproxy
from tests.wire.test_people import Asker

V2 = "/access/api/v2"


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    """A server with a local repository that is nobody's, and its administrator."""
    regproxy = Regproxy(tmp_path_factory.mktemp("access"), '[access]\nanonymousWrite = "never"\n' + local())
    regproxy.start()
    try:
        yield Asker(regproxy, basic("admin", (regproxy.data_dir / "admin.password").read_text().strip()))
    finally:
        regproxy.close()


def permission(name: str, *, paths: dict[str, Any] | None = None, **actions: dict[str, list[str]]) -> dict[str, Any]:
    """A permission of ``files``."""
    artifact = {"targets": {"files": paths or {"include_patterns": ["t/**"]}}, "actions": actions}
    return {"name": name, "resources": {"artifact": artifact, "build": {"targets": {}}}}


def test_users(admin: Asker) -> None:
    """Made, shown without secrets, changed in part, given groups and passwords, removed."""
    assert admin("POST", f"{V2}/groups", {"name": "crew"}).status == 201
    wish = {"username": "Ann", "email": "ann@example.org", "password": PASSWORD, "watch_manager": True}
    made = admin("POST", f"{V2}/users", wish)
    assert (201, "ann", "enabled", []) == (made.status, *(made.json[name] for name in ("username", "status", "groups")))
    assert "password" not in made.json
    assert admin("POST", f"{V2}/users", {"username": "ann", "password": PASSWORD}).status == 409
    listed = admin("GET", f"/artifactory{V2}/users/").json["users"]
    assert ["admin", "ann"] == [each["username"] for each in listed]
    assert listed[1]["uri"].endswith("/artifactory/access/api/v2/users/ann")
    ann = admin.by(basic("ann"))
    assert ann("GET", "/access/api/v1/tokens").status == 200
    assert admin("PATCH", f"{V2}/users/ann/groups", {"add": ["crew"]}).json["groups"] == ["crew"]
    assert admin("PATCH", f"{V2}/users/ann/groups", {"add": ["none"]}).status == 400
    assert admin("PATCH", f"{V2}/users/ann", {"email": "new@example.org"}).json["groups"] == ["crew"]
    assert admin("PUT", f"{V2}/users/ann/password", {"password": "another one"}).status == 204
    assert (401, 200) == tuple(
        admin.by(basic("ann", each))("GET", "/access/api/v1/tokens").status for each in (PASSWORD, "another one")
    )
    assert admin("PATCH", f"{V2}/users/ann", {"internal_password_disabled": True}).json["internal_password_disabled"] is True
    assert admin.by(basic("ann", "another one"))("GET", "/access/api/v1/tokens").status == 401
    assert 204 == admin("DELETE", f"{V2}/users/ann").status
    assert 404 == admin("DELETE", f"{V2}/users/ann").status == admin("GET", f"{V2}/users/ann").status
    assert 409 == admin("DELETE", f"{V2}/users/admin").status == admin("PATCH", f"{V2}/users/admin", {"admin": False}).status


def test_groups(admin: Asker) -> None:
    """With their members; one who is none is refused before anything is made; the older API knows members as well."""
    for name in ("bob", "carl"):
        assert admin("POST", f"{V2}/users", {"username": name, "password": PASSWORD}).status == 201
    assert admin("POST", f"{V2}/groups", {"name": "team", "members": ["bob", "nobody"]}).status == 400
    assert admin("GET", f"{V2}/groups/team").status == 404
    made = admin("POST", f"{V2}/groups", {"name": "team", "description": "d", "members": ["bob"]})
    assert (201, ["bob"], "d") == (made.status, made.json["members"], made.json["description"])
    assert admin("POST", f"{V2}/groups", {"name": "team"}).status == 409
    assert {"members": ["carl"]} == admin("PATCH", f"{V2}/groups/team/members", {"add": ["carl"], "remove": ["bob"]}).json
    assert "team" in {each["group_name"] for each in admin("GET", f"{V2}/groups").json["groups"]}
    changed = admin("PATCH", f"{V2}/groups/team", {"auto_join": True}).json
    assert (True, ["carl"]) == (changed["auto_join"], changed["members"])
    assert admin("PUT", "/api/security/groups/team", {"userNames": ["bob"]}).status == 200
    assert ["bob"] == admin("GET", "/api/security/groups/team").json["userNames"]
    assert admin("POST", "/api/security/groups/team", {"userNames": ["nobody"]}).status == 400
    assert ["bob"] == admin("GET", f"{V2}/groups/team").json["members"]
    assert 204 == admin("DELETE", f"{V2}/groups/team").status
    assert [] == admin("GET", f"{V2}/users/bob").json["groups"]


def test_permissions(admin: Asker) -> None:
    """What they give is given at once, in either API's words; what could not be kept is refused."""
    assert admin("POST", f"{V2}/users", {"username": "dora", "password": PASSWORD}).status == 201
    dora = admin.by(basic("dora"))
    given = permission("t", users={"dora": ["READ", "WRITE", "SCAN"]})
    made = admin("POST", f"{V2}/permissions", given)
    assert (201, ["READ", "WRITE"]) == (made.status, made.json["resources"]["artifact"]["actions"]["users"]["dora"])
    assert admin("POST", f"{V2}/permissions", given).status == 409
    assert (201, 403) == tuple(dora("PUT", f"/files/{path}", b"1").status for path in ("t/a", "u"))
    assert ["read", "write"] == admin("GET", "/api/v2/security/permissions/t").json["repo"]["actions"]["users"]["dora"]
    wide = {"targets": {"ALL-LOCAL": {}}, "actions": {"users": {"dora": ["WRITE"]}}}
    assert admin("PUT", f"{V2}/permissions/t/artifact", wide).status == 200
    assert {"ALL-LOCAL"} == set(admin("GET", f"{V2}/permissions/t/artifact").json["targets"])
    assert ["ANY LOCAL"] == admin("GET", "/api/v2/security/permissions/t").json["repo"]["repositories"]
    assert dora("PUT", "/files/u", b"1").status == 201
    assert "t" in {each["permission_name"] for each in admin("GET", f"{V2}/permissions").json["permissions"]}
    apart = {"targets": {"files": {"include_patterns": ["a/**"]}, "other": {"include_patterns": ["b/**"]}}}
    for wrong in (apart, {"targets": {"files": {}}, "actions": {"users": {"dora": ["FLY"]}}}, {}):
        assert admin("PUT", f"{V2}/permissions/t/artifact", wrong).status == 400
    assert admin("PUT", f"{V2}/permissions/none/artifact", wide).status == 404
    assert 204 == admin("DELETE", f"{V2}/permissions/t").status
    assert dora("PUT", "/files/v", b"1").status == 403


def test_for_administrators(admin: Asker) -> None:
    """Others hear that it is for those, whatever is there."""
    admin("POST", f"{V2}/users", {"username": "eve", "password": PASSWORD})
    for kind in ("users", "groups", "permissions"):
        asked: list[tuple[str, str, Any]] = [
            ("GET", kind, None),
            ("POST", kind, {}),
            ("GET", f"{kind}/x", None),
            ("DELETE", f"{kind}/eve", None),
        ]
        for method, path, body in asked:
            statuses = [who(method, f"{V2}/{path}", body).status for who in (admin.by(""), admin.by(basic("eve")))]
            assert [401, 403] == statuses, (method, path)
