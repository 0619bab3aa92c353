"""Users, groups, permission targets and tokens of a real server: by the REST API and by commands."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from attrs import frozen

from tests.fakes.deploying import Answer, ask, local
from tests.fakes.people import PASSWORD, basic
from tests.fakes.process import Regproxy, environment

READ = ["read"]


@frozen
class Asker:
    """Somebody at a server."""

    regproxy: Regproxy
    authorization: str = ""

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Ask; a body is sent as JSON."""
        shown = {"authorization": self.authorization} if self.authorization else {}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        return ask(self.regproxy, method, path, data, **shown, **headers)

    def by(self, authorization: str) -> "Asker":
        """Another one."""
        return Asker(self.regproxy, authorization)

    def make(self, name: str, **more: Any) -> "Asker":
        """Make a user, and be him."""
        answer = self("PUT", f"/api/security/users/{name}", {"email": f"{name}@example.org", "password": PASSWORD, **more})
        assert answer.status == 201, answer.body
        return self.by(basic(name))

    def target(self, name: str, users: dict[str, list[str]], groups: dict[str, list[str]] | None = None, **more: Any) -> Answer:
        """Keep a permission target of ``files``."""
        place = {"repositories": ["files"], "actions": {"users": users, "groups": groups or {}}, **more}
        return self("PUT", f"/api/v2/security/permissions/{name}", {"name": name, "repo": place, "build": {"x": 1}})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Regproxy]:
    """A local repository that is nobody's at first."""
    regproxy = Regproxy(tmp_path_factory.mktemp("people"), '[access]\nanonymousWrite = "never"\n' + local())
    regproxy.start()
    yield regproxy
    regproxy.close()


@pytest.fixture
def admin(server: Regproxy) -> Iterator[Asker]:
    """The administrator, who removes everybody but himself behind the test."""
    asker = Asker(server, basic("admin", (server.data_dir / "admin.password").read_text().strip()))
    before = {kind: names(asker, kind) for kind in KINDS}
    yield asker
    for kind, kept in before.items():
        for name in set(names(asker, kind)) - set(kept):
            assert asker("DELETE", f"/api/{kind}/{name}").status == 200


KINDS = ("security/users", "security/groups", "v2/security/permissions")


def names(asker: Asker, kind: str) -> list[str]:
    """All of a kind."""
    return [each["name"] for each in asker("GET", f"/api/{kind}").json]


def test_users(admin: Asker) -> None:
    """Made, shown without secrets, changed in part, disabled, removed."""
    ann = admin.make("Ann".lower())
    shown = admin("GET", "/api/security/users/ann").json
    assert ("ann@example.org", False, [], "enabled") == tuple(shown[name] for name in ("email", "admin", "groups", "status"))
    assert "password" not in shown
    listed = admin("GET", "/artifactory/api/security/users").json
    assert ["admin", "ann"] == [each["name"] for each in listed]
    assert listed[1]["uri"].endswith("/artifactory/api/security/users/ann")
    assert ann("GET", "/files/").status == 200
    assert admin("POST", "/api/security/users/ann", {"email": "new@example.org"}).status == 200
    assert ann("GET", "/files/").status == 200
    assert admin("POST", "/api/security/users/ann", {"status": "disabled"}).status == 200
    assert ann("GET", "/files/").status == 401
    assert admin("PUT", "/api/security/users/ann", {"password": "another one"}).status == 200
    assert (401, 200) == (ann("GET", "/files/").status, ann.by(basic("ann", "another one"))("GET", "/files/").status)
    assert admin("DELETE", "/api/security/users/ann").status == 200
    assert 404 == admin("GET", "/api/security/users/ann").status == admin("DELETE", "/api/security/users/ann").status
    assert admin("POST", "/api/security/users/ann", {}).status == 404


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("users/anonymous", {"password": PASSWORD}, 400),
        ("users/a%20b", {"password": PASSWORD}, 400),
        ("users/ann", {"password": "short"}, 400),
        ("users/ann", {"groups": ["nobodys"]}, 400),
        ("users/ann", {"admin": "yes"}, 400),
        ("users/ann", b"[", 400),
        ("users/ann", b"x" * (2 << 20), 413),
        ("users/admin", {"admin": False}, 409),
        ("users/admin", {"status": "disabled"}, 409),
        ("groups/a%20b", {}, 400),
    ],
)
def test_users_that_will_not_do(admin: Asker, path: str, body: Any, status: int) -> None:
    """Are refused with the reason, and nothing has changed; some administrator always is left."""
    answer = admin("PUT", f"/api/security/{path}", body)
    assert (status, True) == (answer.status, bool(answer.error))
    assert ["admin"] == names(admin, "security/users")
    assert admin("DELETE", "/api/security/users/admin").status == 409


def test_groups_and_targets(admin: Asker) -> None:
    """What a group may, its members may; what is removed, nobody has any more."""
    assert admin("PUT", "/api/security/groups/team", {"description": "d"}).status == 201
    assert admin("POST", "/api/security/groups/team", {"autoJoin": True}).status == 200
    ann, bob = admin.make("ann"), admin.make("bob", groups=[])
    shown = admin("GET", "/api/security/groups/team").json
    assert ("d", True, ["ann"]) == (shown["description"], shown["autoJoin"], shown["userNames"])
    target = {"include-patterns": ["t/**"], "exclude-patterns": ["t/x/**"]}
    assert admin.target("team", {"bob": READ}, {"team": ["read", "write", "distribute"]}, **target).status == 201
    kept = admin("GET", "/api/v2/security/permissions/team").json["repo"]
    assert ({"team": ["read", "write"]}, ["t/x/**"]) == (kept["actions"]["groups"], kept["exclude-patterns"])
    assert (201, 403, 403) == tuple(ann("PUT", f"/files/{path}", b"1").status for path in ("t/a", "t/x/a", "a"))
    assert bob("PUT", "/files/t/b", b"1").status == 403
    assert admin("POST", "/api/v2/security/permissions/team", {"repo": {"repositories": ["files"]}}).status == 409
    assert admin("DELETE", "/api/security/groups/team").status == 200
    assert ann("PUT", "/files/t/c", b"1").status == 403
    for wrong in ({"bob": ["fly"]}, {"nobody": READ}):
        assert admin.target("team", wrong).status == 400


def test_targets_of_repositories_that_are_not_there(admin: Asker) -> None:
    """Are refused by name, in every form; the remote is meant by its own key."""
    ways: list[tuple[str, str, Callable[[list[str]], Any]]] = [
        ("PUT", "/api/v2/security/permissions/t", lambda keys: {"repo": {"repositories": keys}}),
        ("POST", "/api/v2/security/permissions/t", lambda keys: {"repo": {"repositories": keys}}),
        ("PUT", "/api/security/permissions/t", lambda keys: {"repositories": keys}),
        ("POST", "/access/api/v2/permissions", lambda keys: permission("t", keys)),
    ]
    for method, path, form in ways:
        refused = admin(method, path, form(["ANY", "files", "flies"]))
        assert (400, "there is no repository 'flies'") == (refused.status, refused.error)
        assert admin("GET", "/api/v2/security/permissions/t").status == 404
        assert admin(method, path, form(["ANY", "ANY LOCAL", "ANY REMOTE", "files"])).status == 201
        assert admin("DELETE", "/api/security/permissions/t").status == 200
    assert admin("PUT", "/api/repositories/up", {"rclass": "remote", "url": "http://127.0.0.1:9"}).status == 200
    companion = admin("PUT", "/api/security/permissions/t", {"repositories": ["up-cache"]})
    assert (400, True) == (companion.status, "by its own key, 'up'" in companion.error)
    for name in ("t", "other"):
        assert admin("PUT", f"/api/security/permissions/{name}", {"repositories": ["up"]}).status == 201
    assert admin("DELETE", "/api/repositories/up").status == 200
    assert admin("PUT", "/access/api/v2/permissions/t/artifact", artifact(["up"])).status == 400
    assert admin("POST", "/api/v2/security/permissions/other", {"repo": {"repositories": ["flies"]}}).status == 409


def artifact(keys: list[str]) -> Any:
    """What a permission of the newer API says of repositories."""
    return {"targets": {key: {} for key in keys}}


def permission(name: str, keys: list[str]) -> Any:
    """All of it."""
    return {"name": name, "resources": {"artifact": artifact(keys)}}


def test_who_may_administer(admin: Asker) -> None:
    """Administrators, by all that they have; others hear that it is for those."""
    ann, nobody = admin.make("ann"), admin.by("")
    token = admin("POST", "/access/api/v1/tokens", {"scope": "artifact:files:r"}).json["access_token"]
    full = admin("POST", "/access/api/v1/tokens", {}).json["access_token"]
    for kind in KINDS:
        for method, path in (("GET", f"/api/{kind}"), ("PUT", f"/api/{kind}/x"), ("DELETE", f"/api/{kind}/ann")):
            body: Any = {} if method == "PUT" else None
            assert (401, 403) == (nobody(method, path, body).status, ann(method, path, body).status)
            assert admin.by(f"Bearer {token}")(method, path, body).status == 403
        assert admin.by(f"Bearer {full}")("GET", f"/api/{kind}").status == 200


def test_tokens(admin: Asker) -> None:
    """Made for oneself, worth what their scope says, shown without themselves, revoked."""
    ann = admin.make("ann")
    admin.target("t", {"ann": ["read", "write"]})
    made = ann("POST", "/access/api/v1/tokens", {"scope": "artifact:files/t/**:w", "expires_in": 600, "description": "ci"}).json
    assert {"token_id", "access_token", "scope", "token_type", "expires_in"} == set(made)
    claims = jwt.decode(made["access_token"], options={"verify_signature": False})
    assert ("regproxy/users/ann", 600) == (claims["sub"], claims["exp"] - claims["iat"])
    token = made["access_token"]
    for number, shown in enumerate((f"Bearer {token}", basic("ann", token), basic("", token))):
        assert (201, 403) == tuple(ann.by(shown)("PUT", f"/files/{path}", b"1").status for path in (f"t/{number}", "u"))
    listed = ann("GET", "/access/api/v1/tokens").json["tokens"]
    assert [(made["token_id"], "ci", "ann")] == [(each["token_id"], each["description"], each["subject"]) for each in listed]
    assert made["access_token"] not in json.dumps(listed)
    bob = admin.make("bob")
    assert bob("GET", "/access/api/v1/tokens").json["tokens"] == []
    assert 404 == bob("GET", f"/access/api/v1/tokens/{made['token_id']}").status
    assert 404 == bob("DELETE", f"/access/api/v1/tokens/{made['token_id']}").status
    assert 200 == ann("GET", f"/access/api/v1/tokens/{made['token_id']}").status
    assert 200 == ann("DELETE", f"/access/api/v1/tokens/{made['token_id']}").status
    assert 401 == ann.by(f"Bearer {made['access_token']}")("GET", "/files/").status


def test_tokens_end_with_what_they_were_made_by(admin: Asker) -> None:
    """Whoever is let in for a minute, by a token or a session, does not let himself in for a year; an administrator may."""
    ann = admin.make("ann")
    first = ann("POST", "/access/api/v1/tokens", {"expires_in": 60}).json
    session = ann("GET", "/v2/token").json
    for token, lasts in ((first["access_token"], 60), (session["token"], 3600)):
        by_token = ann.by(f"Bearer {token}")
        for wish, most in (({}, lasts), ({"expires_in": 0}, lasts), ({"expires_in": 5}, 5)):
            assert most - 30 < by_token("POST", "/access/api/v1/tokens", wish).json["expires_in"] <= most, wish
        assert 403 == by_token("POST", "/access/api/v1/tokens", {"refreshable": True}).status
    short = admin("POST", "/access/api/v1/tokens", {"expires_in": 60}).json["access_token"]
    assert 100 == admin.by(f"Bearer {short}")("POST", "/access/api/v1/tokens", {"expires_in": 100}).json["expires_in"]


def test_reference_tokens_and_forms(admin: Asker) -> None:
    """By a form too; the short form stands wherever a token may."""
    ann = admin.make("ann")
    form = b"scope=applied-permissions%2Fuser&include_reference_token=true&expires_in=0"
    made = ann("POST", "/access/api/v1/tokens", form, content_type="application/x-www-form-urlencoded").json
    short = made["reference_token"]
    assert len(short) < 64 < len(made["access_token"])
    assert "expires_in" not in made
    for headers in ({"x_jfrog_art_api": short}, {"authorization": f"Bearer {short}"}, {"authorization": basic("ann", short)}):
        listed = ask(admin.regproxy, "GET", "/access/api/v1/tokens/me", **headers)
        assert (200, made["token_id"]) == (listed.status, listed.json["token_id"])


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"username": "admin"}, 403),
        ({"scope": "applied-permissions/admin"}, 403),
        ({"scope": "applied-permissions/groups:x"}, 403),
        ({"scope": "everything"}, 400),
        ({"expires_in": -1}, 400),
        ({"expires_in": "x"}, 400),
        ({"grant_type": "password"}, 400),
    ],
)
def test_tokens_that_are_not_made(admin: Asker, wish: dict[str, Any], status: int) -> None:
    """Nobody gets more than he has."""
    ann = admin.make("ann")
    answer = ann("POST", "/access/api/v1/tokens", wish)
    assert (status, True) == (answer.status, bool(answer.error))
    assert admin.by("")("POST", "/access/api/v1/tokens", {}).status == 401
    narrow = ann("POST", "/access/api/v1/tokens", {"scope": "artifact:files:r"}).json["access_token"]
    assert ann.by(f"Bearer {narrow}")("POST", "/access/api/v1/tokens", {}).status == 403
    assert admin("POST", "/access/api/v1/tokens", {"username": "nobody"}).status == 400
    assert admin("POST", "/access/api/v1/tokens", {"username": "ann"}).status == 200


def test_commands(admin: Asker) -> None:
    """Users and tokens from the command line, as JSON and as text."""

    def command(*words: str, given: str = "", code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "regproxy", *words, "--data-dir", str(admin.regproxy.data_dir)],
            env=environment(),
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    made = json.loads(command("user", "create", "ann", "--admin", "--password-file", "-", "--json", given=f"{PASSWORD}\n"))
    assert ("ann", True) == (made["name"], made["admin"])
    assert admin.by(basic("ann"))("GET", "/api/security/users").status == 200
    assert "ann: administrator True, enabled" in command("user", "list")
    command("user", "create", "ann", "--no-admin", "--no-password")
    assert admin.by(basic("ann"))("GET", "/api/security/users").status == 403
    made = json.loads(command("token", "create", "ann", "--reference", "--description", "ci", "--json"))
    assert admin.by(f"Bearer {made['reference_token']}")("GET", "/access/api/v1/tokens").status == 200
    assert command("token", "create", "ann", "--expires-in", "60").strip().count(".") == 2
    listed = json.loads(command("token", "list", "--json"))
    assert [made["token_id"]] == [each["token_id"] for each in listed if each["description"]]
    command("token", "revoke", made["token_id"])
    assert admin.by(f"Bearer {made['reference_token']}")("GET", "/access/api/v1/tokens").status == 401
    assert "there is no token" in command("token", "revoke", made["token_id"], code=1)
    assert "there is no user" in command("token", "create", "nobody", code=1)
    command("user", "delete", "ann")
    assert "there has to be an administrator" in command("user", "delete", "admin", code=1)


def test_several_processes(two_workers: Callable[..., Regproxy]) -> None:
    """What one worker is told, all know at once: a user who was made, and a token that was revoked."""
    regproxy = two_workers(local())
    password = (regproxy.data_dir / "admin.password").read_text().strip()
    admin = Asker(regproxy, basic("admin", password))
    ann = admin.make("ann")
    assert {200} == {ann("GET", "/access/api/v1/tokens").status for _ in range(12)}
    made = ann("POST", "/access/api/v1/tokens", {}).json
    shown = ann.by(f"Bearer {made['access_token']}")
    assert {200} == {shown("GET", "/access/api/v1/tokens").status for _ in range(12)}
    assert ann("DELETE", f"/access/api/v1/tokens/{made['token_id']}").status == 200
    assert {401} == {shown("GET", "/access/api/v1/tokens").status for _ in range(12)}
