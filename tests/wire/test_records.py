"""What a real server writes down: requests, what was asked upstream for them, and what happened."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from tests.fakes.deploying import ask, local
from tests.fakes.files import remote, serving
from tests.fakes.people import PASSWORD, basic
from tests.fakes.process import Regproxy
from tests.wire.test_life import wait_until

TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
CANARY = "c4n4ry-secret"


@frozen
class Logs:
    """A server and what it has written."""

    regproxy: Regproxy

    def entries(self, name: str, count: int, **match: Any) -> list[dict[str, Any]]:
        """So many entries of a log that match."""
        path = self.regproxy.folder / f"{name}.log"

        def found() -> list[dict[str, Any]]:
            every = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
            return [each for each in every if all(each.get(key) == value for key, value in match.items())]

        wait_until(lambda: len(found()) >= count)
        return found()


def logging(folder: Path, form: str = "json") -> str:
    """The section."""
    keys = {"access": "accessFile", "requestOut": "requestOutFile", "audit": "auditFile"}
    lines = [f'{key} = "{form}"\n{file} = "{folder}/{key}.log"' for key, file in keys.items()]
    return "\n".join(("[log]", *lines, f'securityFile = "{folder}/security.log"', "passTrace = true", ""))


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logs]:
    """A remote and a local repository."""
    folder = tmp_path_factory.mktemp("records")
    with serving({"/a": b"x" * 1000, "/b": b"y", "/c": b"z" * 9}) as upstream:
        regproxy = Regproxy(folder, logging(folder) + remote(upstream.url) + "\n" + local("mine"))
        regproxy.start()
        yield Logs(regproxy)
        regproxy.close()


def test_a_request_and_what_it_caused(logs: Logs) -> None:
    """The client's id, if it is one, stands in all three logs; queries and credentials stand in none."""
    admin = basic("admin", (logs.regproxy.data_dir / "admin.password").read_text().strip())
    shown = {"x-request-id": "build-7", "traceparent": TRACE, "authorization": admin, "user-agent": "test"}
    assert ask(logs.regproxy, "GET", f"/files/a?sig={CANARY}", None, **shown).status == 200
    request = logs.entries("access", 1, request_id="build-7")[0]
    expected = ("admin", "files", "a", "fill", 1000, TRACE, "/files/a", 200)
    assert expected == tuple(request[key] for key in ("user", "repository", "node", "cache", "bytes", "trace", "path", "status"))
    out = logs.entries("requestOut", 1, request_id="build-7")[0]
    assert ("admin", "files", 200, 1000, "GET") == tuple(out[key] for key in ("user", "repository", "status", "bytes", "method"))
    cached = logs.entries("audit", 1, event="cached", path="a")[0]
    assert ("build-7", "admin", 1000) == (cached["request_id"], cached["user"], cached["size"])
    assert [each["user"] for each in logs.entries("audit", 1, event="login")] == ["admin"]


def test_downloads_are_counted(logs: Logs) -> None:
    """Of a remote as well: the fill, the hit, and who came last; neither a HEAD nor the rest of a file."""
    admin = basic("admin", (logs.regproxy.data_dir / "admin.password").read_text().strip())
    for method, more in (("GET", {}), ("GET", {"authorization": admin}), ("HEAD", {}), ("GET", {"range": "bytes=5-"})):
        assert ask(logs.regproxy, method, "/files/c", None, **more).status in (200, 206)

    def stats() -> Any:
        return ask(logs.regproxy, "GET", "/api/storage/files/c?stats").json

    wait_until(lambda: stats()["downloadCount"] == 2)
    assert stats()["lastDownloadedBy"] == "admin"


def test_ids_are_checked(logs: Logs) -> None:
    """What is no id gets one of ours, which the answer has."""
    answer = ask(logs.regproxy, "GET", "/files/b", None, **{"x-request-id": "x" * 65, "traceparent": "no\tne"})
    given = answer.headers["x-request-id"]
    assert len(given) < 65
    assert "trace" not in logs.entries("access", 1, request_id=given)[0]
    assert len(logs.entries("requestOut", 1, request_id=given)) == 1


def test_what_is_audited(logs: Logs) -> None:
    """Logins that failed, refusals, deposits, deletions, and changes of people; no secret."""
    admin = basic("admin", (logs.regproxy.data_dir / "admin.password").read_text().strip())
    assert ask(logs.regproxy, "GET", "/files/a", None, authorization=basic("bob", CANARY)).status == 401
    refused = logs.entries("audit", 1, event="login-refused")[0]
    assert ("bob", "127.0.0.1") == (refused["subject"], refused["client"])
    body = json.dumps({"email": "ann@example.org", "password": PASSWORD})
    assert ask(logs.regproxy, "PUT", "/api/security/users/ann", body, authorization=admin).status == 201
    user = logs.entries("audit", 1, event="user", subject="ann")[0]
    assert ("admin", "created") == (user["user"], user["change"])
    assert ask(logs.regproxy, "PUT", "/mine/d/f", b"data", authorization=admin).status == 201
    assert ask(logs.regproxy, "DELETE", "/mine/d/f", None, authorization=admin).status == 204
    assert ask(logs.regproxy, "PUT", "/mine/d/g", b"data", authorization=admin).status == 201
    assert ask(logs.regproxy, "POST", "/api/copy/mine/d/g?to=/mine/d/h", b"", authorization=admin).status == 200
    copied = logs.entries("audit", 1, event="copied")[0]
    assert ("d/h", "from mine:d/g", "admin") == (copied["path"], copied["detail"], copied["user"])
    assert logs.entries("access", 1, path="/mine/d/f", method="PUT")[0]["received"] == 4
    assert 'regproxy_http_request_bytes_total{repository="mine"}' in ask(logs.regproxy, "GET", "/metrics").body.decode()
    deployed, deleted = (logs.entries("audit", 1, event=each, path="d/f")[0] for each in ("deployed", "deleted"))
    assert ("admin", 4, "admin") == (deployed["user"], deployed["size"], deleted["user"])
    assert ask(logs.regproxy, "PUT", "/mine/e", b"data", authorization=basic("ann")).status == 403
    denied = logs.entries("audit", 1, event="denied", repository="mine")[0]
    assert ("ann", "e", "write") == (denied["user"], denied["path"], denied["action"])
    token = ask(logs.regproxy, "POST", "/access/api/v1/tokens", b"{}", authorization=admin).json
    assert ask(logs.regproxy, "DELETE", f"/access/api/v1/tokens/{token['token_id']}", None, authorization=admin).status == 200
    assert [each["change"] for each in logs.entries("audit", 2, event="token")] == ["created", "revoked"]
    written = "".join(path.read_text() for path in logs.regproxy.folder.glob("*.log"))
    assert [secret for secret in (CANARY, PASSWORD, token["access_token"], admin) if secret in written] == []


def test_the_form_of_jfrog(twist_regproxy: Callable[..., Regproxy], tmp_path: Path) -> None:
    """Pipes, and a file of its own for changes of people."""
    with serving({"/a": b"x" * 1000}) as upstream:
        regproxy = twist_regproxy(logging(tmp_path, "jfrog") + remote(upstream.url))
        admin = basic("admin", (regproxy.data_dir / "admin.password").read_text().strip())
        assert ask(regproxy, "GET", "/files/a", None, authorization=admin).status == 200
        assert ask(regproxy, "PUT", "/api/security/groups/team", b"{}", authorization=admin).status == 201

        def fields(name: str, holds: str) -> list[str]:
            path = tmp_path / f"{name}.log"
            wait_until(lambda: path.exists() and holds in path.read_text())
            return next(line for line in path.read_text().splitlines() if holds in line).split("|")

        assert fields("access", "/files/a")[2:9] == ["127.0.0.1", "admin", "GET", "/files/a", "200", "0", "1000"]
        assert fields("requestOut", "/a")[2:9] == ["files", "admin", "GET", f"{upstream.url}/a", "200", "0", "1000"]
        assert fields("security", "team")[3:8] == ["admin", "admin", "team", "GROUP", "GROUP_CREATED"]
        assert "[ACCEPTED CACHED_DEPLOY] files:a" in fields("audit", "files:a")[0]
