"""Calls of older scripts and provisioning tools to a real server: tokens, permissions, batches, upkeep, a registry's token."""

from collections.abc import Iterator
from typing import Any

import pytest

from regproxy.model.level import LEVEL
from tests.fakes.deploying import Answer, local
from tests.fakes.people import PASSWORD, basic
from tests.fakes.process import Regproxy
from tests.wire.test_life import wait_until
from tests.wire.test_people import Asker
from tests.wire.test_repositories import LOCAL, administrator

TOKEN = "/artifactory/api/security/token"
OLD = "/artifactory/api/security/permissions"
BATCH = "/artifactory/api/v2/repositories/batch"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    """The administrator of a server with two local repositories."""
    images = local("images").replace("generic", "docker")
    regproxy = Regproxy(tmp_path_factory.mktemp("old"), '[access]\nanonymousWrite = "never"\n' + local() + images)
    regproxy.start()
    try:
        yield administrator(regproxy)
    finally:
        regproxy.close()


@pytest.fixture(scope="module")
def ann(admin: Asker) -> Asker:
    """Somebody."""
    return admin.make("ann")


def form(asker: Asker, path: str, text: str) -> Answer:
    """Send one."""
    return asker("POST", path, text.encode(), content_type=FORM)


def test_tokens(admin: Asker, ann: Asker) -> None:
    """Made by a form, worth what the old words of their scope say, listed, revoked by themselves or by their ids."""
    made = form(ann, TOKEN, "username=ann&scope=api:*%20member-of-groups:*").json
    assert ("applied-permissions/user", 3600, "Bearer") == tuple(made[name] for name in ("scope", "expires_in", "token_type"))
    shown = ann.by(f"Bearer {made['access_token']}")
    assert made["token_id"] in [each["token_id"] for each in shown("GET", TOKEN).json["tokens"]]
    assert 403 == form(ann, TOKEN, "scope=jfrt@1:admin").status
    assert 404 == form(admin.make("bob"), f"{TOKEN}/revoke", f"token={made['access_token']}").status
    revoked = form(ann, f"{TOKEN}/revoke", f"token={made['access_token']}")
    assert (200, b"Token revoked", 401) == (revoked.status, revoked.body, shown("GET", TOKEN).status)
    other = form(ann, TOKEN, "expires_in=0&refreshable=true").json
    assert (200, 404) == tuple(form(ann, f"{TOKEN}/revoke", f"token_id={other['token_id']}").status for _ in range(2))
    for wrong in ("", "token=a&token_id=b"):
        assert 400 == form(ann, f"{TOKEN}/revoke", wrong).status
    assert 401 == form(admin.by(""), f"{TOKEN}/revoke", "token=x").status


def test_refreshed(ann: Asker) -> None:
    """As clients of this call do it: with the old token beside the secret."""
    made = form(ann, TOKEN, "refreshable=true&expires_in=600").json
    again = f"grant_type=refresh_token&refresh_token={made['refresh_token']}&access_token={made['access_token']}"
    new = form(ann.by(""), TOKEN, again).json
    assert (600, True) == (new["expires_in"], new["access_token"] != made["access_token"])
    assert 401 == ann.by(f"Bearer {made['access_token']}")("GET", TOKEN).status


def test_keys(admin: Asker, ann: Asker) -> None:
    """There are none, and none are made: the answer says what is."""
    assert {} == ann("GET", "/api/security/apiKey").json
    for method in ("POST", "PUT"):
        answer = ann(method, "/api/security/apiKey")
        assert (403, "API keys are not made any more") == (answer.status, answer.error.partition(":")[0])
    assert 401 == admin.by("")("GET", "/api/security/apiKey").status


def test_permissions(admin: Asker, ann: Asker) -> None:
    """In letters; they are those of the newer calls, and hold at once."""
    said = {"repositories": ["files"], "includesPattern": "t/**", "principals": {"users": {"ann": ["r", "w"]}}}
    assert (201, 200) == tuple(admin("PUT", f"{OLD}/team", said).status for _ in range(2))
    assert (201, 403) == tuple(ann("PUT", f"/files/{path}", b"1").status for path in ("t/a", "a"))
    shown = admin("GET", f"{OLD}/team").json
    assert ({"ann": ["r", "w"]}, "t/**") == (shown["principals"]["users"], shown["includesPattern"])
    listed = {each["name"]: each["uri"] for each in admin("GET", OLD).json}
    assert listed["team"].endswith("/artifactory/api/security/permissions/team")
    given = admin("GET", "/api/v2/security/permissions/users/Ann").json
    assert [("team", ["read", "write"], ["t/**"])] == [
        (each["name"], each["repo"]["actions"], each["repo"]["include-patterns"]) for each in given
    ]
    assert ["Any Remote", "Anything"] == sorted(
        each["name"] for each in admin("GET", "/api/v2/security/permissions/users/anonymous").json
    )
    assert 404 == admin("GET", "/api/v2/security/permissions/users/none").status
    assert 404 == admin("GET", "/api/v2/security/permissions/groups/none").status
    assert 400 == admin("PUT", f"{OLD}/team", {**said, "principals": {"users": {"ann": ["q"]}}}).status
    assert (403, 401) == (ann("GET", OLD).status, admin.by("")("PUT", f"{OLD}/x", said).status)
    assert (200, 404) == tuple(admin("DELETE", f"{OLD}/team").status for _ in range(2))
    assert 403 == ann("PUT", "/files/t/b", b"1").status


def test_batches(admin: Asker, ann: Asker) -> None:
    """Several repositories by one call: all or none."""
    virtual = {"key": "all", "rclass": "virtual", "packageType": "generic", "repositories": ["one", "files"]}
    made = admin("PUT", BATCH, [virtual, {"key": "one", **LOCAL}])
    assert (201, b"Successfully created repository 'all' Successfully created repository 'one' ") == (made.status, made.body)
    assert 200 == admin("POST", BATCH, [{"key": "one", "notes": "n"}, {"key": "all", "notes": "m"}]).status
    assert ["m", "n"] == [admin("GET", f"/api/repositories/{key}").json["notes"] for key in ("all", "one")]
    refusals: list[Any] = [
        ("PUT", [{"key": "two", **LOCAL}, {"key": "one", **LOCAL}], "'one' already"),
        ("PUT", [{"key": "two", **LOCAL}, {"key": "two", **LOCAL}], "'two' is there twice"),
        ("PUT", [{"key": "two", **LOCAL}, LOCAL], "number 1 has none"),
        ("PUT", [{"key": "two", **LOCAL}, {"key": "three", **LOCAL, "url": "auto"}], "url (three): "),
        ("PUT", [{"key": f"r{number}", **LOCAL} for number in range(101)], "1 to 100"),
        ("PUT", [], "1 to 100"),
        ("POST", [{"key": "one", "notes": "x"}, {"key": "none"}], "'none'"),
        ("POST", [{"key": "all", "notes": "x"}, {"key": "one", "packageType": "pypi"}], "packageType of one"),
    ]
    for method, wrong, text in refusals:
        answer = admin(method, BATCH, wrong)
        assert (400, True) == (answer.status, text in answer.error), answer.error
    assert ["all", "files", "images", "one"] == [each["key"] for each in admin("GET", "/api/repositories").json]
    assert 403 == ann("PUT", BATCH, [{"key": "two", **LOCAL}]).status
    for key in ("all", "one"):
        assert 200 == admin("DELETE", f"/api/repositories/{key}").status


def test_garbage(admin: Asker, ann: Asker) -> None:
    """What nothing points to goes when an administrator says so."""
    admin("PUT", "/files/gone", b"x" * 9999)
    admin("DELETE", "/files/gone")
    before = _blobs(admin)
    assert 403 == ann("POST", "/api/system/storage/gc").status
    answer = admin("POST", "/artifactory/api/system/storage/gc")
    assert (200, "text/plain") == (answer.status, answer.headers["content-type"])
    wait_until(lambda: _blobs(admin) < before)


def _blobs(admin: Asker) -> int:
    """How many files the store has."""
    return sum(each.is_file() for each in (admin.regproxy.data_dir / "store" / "blobs").rglob("*"))


def test_which_api_this_is(admin: Asker) -> None:
    """Clients choose their calls by it."""
    assert LEVEL == admin("GET", "/access/api/v1/system/version").json["name"]
    assert b"OK" == admin("GET", "/access/api/v1/system/ping").body
    assert LEVEL in admin("GET", "/artifactory/api/repositories/none").headers["x-jfrog-version"]
    assert "x-jfrog-version" not in admin("GET", "/files/").headers


def test_a_registrys_token(admin: Asker, ann: Asker) -> None:
    """Below a repository's own address, too; who is wrong there is asked for a password."""
    given = ann("GET", "/artifactory/api/docker/images/v2/token?service=regproxy&scope=repository:x:pull").json
    assert 200 == admin.by(f"Bearer {given['token']}")("GET", "/api/docker/images/v2/").status
    wrong = admin.by(basic("ann", PASSWORD + "x"))("GET", "/api/docker/images/v2/token")
    assert (401, True) == (wrong.status, wrong.headers["www-authenticate"].startswith("Basic"))
