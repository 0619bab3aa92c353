"""Local repositories of the hub in a real process: commits, whole or not at all, and everything around them."""

import hashlib
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.deploying import ask
from tests.fakes.hub_pushing import HubClient, add, add_lfs, code_of, hub, line
from tests.fakes.process import Regproxy

SMALL = b"# small\n"


@pytest.fixture(scope="module")
def regproxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Regproxy]:
    """One server for all of these; each test has a repository of its own."""
    folder: Path = tmp_path_factory.mktemp("hub")
    running = Regproxy(folder / "regproxy", hub("hub", 'uploadPartBytes = "1MiB"'))
    running.start()
    yield running
    running.close()


@pytest.fixture
def client(regproxy: Regproxy, request: pytest.FixtureRequest) -> HubClient:
    """A client with a name that no other test has."""
    return HubClient(regproxy, f"acme/{request.node.name.replace('[', '-').rstrip(']')[:60]}")


@pytest.fixture
def large(client: HubClient) -> bytes:
    """An object that no other test has: what is here need not be sent again."""
    return random.Random(client.repo).randbytes(3 << 20)


def sha256(data: bytes) -> str:
    """Its name."""
    return hashlib.sha256(data).hexdigest()


def test_first_commit(client: HubClient, large: bytes) -> None:
    """Nobody has made the repository: it is there with its first commit, and says of its files what clients compare."""
    client.send(large)
    commit = client.committed(add("README.md", SMALL), add("empty", b""), add_lfs("a/big.bin", large))
    answer = client.resolve("a/big.bin", method="HEAD")
    names = ("etag", "x-linked-etag", "x-linked-size", "content-length", "x-repo-commit")
    told = {name: answer.headers[name] for name in names}
    size = str(len(large))
    expected = {
        "etag": f'"{sha256(large)}"',
        "x-linked-etag": f'"{sha256(large)}"',
        "x-linked-size": size,
        "content-length": size,
    }
    assert told == expected | {"x-repo-commit": commit}
    assert client.resolve("a/big.bin").body == large
    assert client.resolve("a/big.bin", range="bytes=5-9").body == large[5:10]
    small = client.resolve("README.md", commit)
    git = hashlib.sha1(b"blob %d\0" % len(SMALL) + SMALL).hexdigest()
    assert (small.body, small.headers["etag"], small.headers.get("x-linked-etag")) == (SMALL, f'"{git}"', None)
    assert client.resolve("empty", method="HEAD").headers["content-length"] == "0"
    assert client.paths() == ["README.md", "a/big.bin", "empty"]
    left = ask(client.regproxy, "GET", f"/api/storage/hub/models/{client.repo}/_lfs/{sha256(large)}")
    assert left.status == 404


def test_history(client: HubClient) -> None:
    """Each commit stays as it was; what did not change is not stored again."""
    one = client.committed(add("a", b"1"), add("b", b"1"))
    copy = line("copyFile", path="c", srcPath="a", srcRevision=one)
    two = client.committed(add("a", b"2"), line("deletedFile", path="b"), copy)
    assert [client.resolve("a", each).body for each in (one, two, "main", "refs%2Fheads%2Fmain")] == [b"1", b"2", b"2", b"2"]
    assert (client.resolve("c").body, client.resolve("b").status, client.resolve("b", one).status) == (b"1", 404, 200)
    commits = client.call("GET", "commits/main?limit=1")
    assert [each["id"] for each in commits.json] == [two]
    following = commits.headers["link"].partition(">")[0].removeprefix("<").partition(client.endpoint)[2]
    assert [each["id"] for each in client.ask("GET", following.removeprefix("/")).json] == [one]
    tree = client.call("GET", "tree/main?expand=true").json
    assert {each["path"]: each["lastCommit"]["id"] for each in tree} == {"a": two, "c": two}


def test_trees(client: HubClient) -> None:
    """Folders, pages with links that are absolute, paths-info, and what is not there."""
    client.committed(*(add(f"d/{number}.txt", b"%d" % number) for number in range(5)), add("top", b""))
    page = client.call("GET", "tree/main?recursive=true&limit=4")
    assert [each["path"] for each in page.json] == ["d", "d/0.txt", "d/1.txt", "d/2.txt"]
    link = page.headers["link"]
    assert link.startswith(f"<{client.regproxy.base_url}{client.endpoint}/api/models/{client.repo}/tree/")
    assert link.endswith('rel="next"')
    assert [each["path"] for each in client.call("GET", "tree/main/d").json] == [f"d/{number}.txt" for number in range(5)]
    asked = client.call("POST", "paths-info/main", "paths=top&paths=d&paths=none")
    assert [(each["path"], each["type"]) for each in asked.json] == [("top", "file"), ("d", "directory")]
    assert code_of(client.call("GET", "tree/main/none")) == (404, "EntryNotFound")
    missing = client.resolve("none")
    assert (code_of(missing), missing.headers["x-repo-commit"]) == ((404, "EntryNotFound"), client.head())
    assert code_of(client.call("GET", "revision/none")) == (404, "RevisionNotFound")
    assert code_of(client.at("acme/none").call("GET", "")) == (404, "RepoNotFound")


def test_what_is_no_commit(client: HubClient, large: bytes) -> None:
    """Each is refused with a reason, and there is no repository after it."""
    refused = [
        client.commit(line("move", path="a")),
        client.commit(add("../a", b"")),
        client.commit(add("a", b""), add("a/b", b"")),
        client.commit(add_lfs("a", large + b"never sent")),
        client.commit(line("deletedFile", path="a")),
        client.commit(add("a", b""), branch="a%20b"),
        client.commit(add("a", b""), branch="main?create_pr=1"),
        client.call("POST", "commit/main", b"no header\n"),
        client.call("POST", "commit/main", b""),
        client.commit(add("a", bytes(3 << 20))),
        client.at("alone").commit(add("a", b"")),
    ]
    assert [each.status for each in refused] == [400, 400, 400, 400, 404, 400, 400, 400, 400, 413, 400]
    assert all(each.json["error"] for each in refused)
    assert client.call("GET", "").status == 404


def test_wrong_sizes_and_bytes(client: HubClient, large: bytes) -> None:
    """Of objects: what does not hash to its name, or is of another size, is not taken."""
    href = client.upload(large)["upload"]["href"]
    assert client.put(href, large[:-1] + b"x").status == 409
    assert client.put(href, b"").status == 409
    assert client.ask("POST", f"{client.lfs}/verify", {"oid": sha256(large), "size": len(large)}).status == 404
    client.send(large)
    assert client.ask("POST", f"{client.lfs}/verify", {"oid": sha256(large), "size": len(large)}).status == 200
    assert client.ask("POST", f"{client.lfs}/verify", {"oid": sha256(large), "size": 1}).status == 404
    assert code_of(client.commit(add_lfs("a", large, size=5))) == (400, "BadRequest")
    assert "actions" not in client.batch(large).json["objects"][0]
    assert client.batch(b"x", operation="download").status == 400
    assert client.batch(b"x", objects=[{"oid": "x", "size": 1}]).json["objects"][0]["error"]["code"] == 422


def test_parts(client: HubClient) -> None:
    """In order, one of them sent twice, one cut and sent again; only whole they are an object."""
    content = random.Random(6).randbytes((5 << 19) + 3)
    upload = client.upload(content, transfers=["basic", "multipart"])["upload"]
    size = int(upload["header"]["chunk_size"])
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    hrefs = [upload["header"][f"{number:05}"] for number in range(1, len(pieces) + 1)]
    assert (size, len(pieces), len(upload["header"])) == (1 << 20, 3, 4)
    assert client.put(hrefs[1], pieces[1]).status == 409
    early = client.put(upload["href"], b'{"oid": "", "parts": []}', "POST")
    assert early.status == 409
    upload = client.upload(content, transfers=["basic", "multipart"])["upload"]
    hrefs = [upload["header"][f"{number:05}"] for number in range(1, len(pieces) + 1)]
    assert client.put(hrefs[0], pieces[0][:1000]).status == 200
    answers = [client.put(href, piece) for href, piece in zip(hrefs, pieces, strict=True) for _ in range(2)]
    assert [each.status for each in answers] == [200] * 6
    assert answers[0].headers["etag"]
    assert client.put(upload["href"], b'{"oid": "", "parts": []}', "POST").status == 200
    client.committed(add_lfs("a", content))
    assert client.resolve("a").body == content


def test_signed_addresses(client: HubClient, large: bytes) -> None:
    """Good for the one object that they were made for; a changed one is good for nothing."""
    href = client.upload(large)["upload"]["href"]
    other = href.replace(sha256(large), hashlib.sha256(b"x").hexdigest())
    assert client.put(href + "x", large).status == 401
    assert client.put(other, b"x", "PUT").status == 200  # anonymous may write here anyway
    assert client.put(href, large).status == 200
    assert "regproxy-signature" not in client.regproxy.log


def test_repeated_commits(client: HubClient, large: bytes) -> None:
    """A client that has not heard the answer sends the same again: one commit, the same id; nothing to change is no commit."""
    client.send(large)
    lines = (add("a", b"1"), add_lfs("b", large))
    one = client.committed(*lines)
    assert client.committed(*lines) == one
    two = client.committed(line("deletedFile", path="a"), parentCommit=one)
    assert client.committed(line("deletedFile", path="a"), parentCommit=one) == two
    assert client.committed(add_lfs("b", large), title="nothing new") == two
    assert code_of(client.commit(add("a", b"2"), parentCommit=one)) == (412, "PreconditionFailed")
    assert client.committed(add("a", b"2"), parentCommit=two[:8]) == client.head()
    assert len(client.call("GET", "commits/main").json) == 3


def test_parallel_commits(client: HubClient) -> None:
    """Each to the same branch, all at once: each is there, one behind the other."""
    client.committed(add("first", b""))
    answers: list[int] = []

    def commit(number: int) -> None:
        answers.append(client.commit(add(f"{number}.txt", b"%d" % number), title=f"{number}").status)

    threads = [threading.Thread(target=commit, args=(number,)) for number in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert answers == [200] * 12
    assert client.paths() == sorted([*(f"{number}.txt" for number in range(12)), "first"])
    assert len(client.call("GET", "commits/main?limit=100").json) == 13


def test_branches_and_tags(client: HubClient) -> None:
    """Made, listed, not made twice, moved by commits or not at all, and removed."""
    one = client.committed(add("a", b"1"))
    assert client.call("POST", "branch/dev%2Fx", {}).status == 200
    assert client.call("POST", "tag/main", {"tag": "v1"}).status == 200
    refused = [client.call("POST", "branch/dev%2Fx", {}), client.call("POST", "tag/main", {"tag": "v1"})]
    assert [code_of(each) for each in refused] == [(409, "Conflict")] * 2
    two = client.committed(add("a", b"2"), branch="dev%2Fx")
    refs = client.call("GET", "refs").json
    assert {each["name"]: each["targetCommit"] for each in refs["branches"]} == {"main": one, "dev/x": two}
    assert {each["name"]: each["targetCommit"] for each in refs["tags"]} == {"v1": one}
    assert [client.resolve("a", each).body for each in ("dev%2Fx", "v1", "main")] == [b"2", b"1", b"1"]
    assert code_of(client.commit(add("a", b"3"), branch="v1"))[0] == 409
    assert code_of(client.commit(add("a", b"3"), branch=one))[0] == 409
    assert client.call("POST", "branch/back", {"startingPoint": one}).status == 200
    assert code_of(client.call("POST", "branch/x", {"startingPoint": "none"})) == (404, "RevisionNotFound")
    assert code_of(client.call("POST", "branch/a..b", {}))[0] == 400
    assert [client.call("DELETE", path).status for path in ("branch/dev%2Fx", "tag/v1", "branch/dev%2Fx", "tag/v1")] == [
        200,
        200,
        404,
        404,
    ]
    assert client.call("DELETE", "branch/main").status == 403
    assert client.resolve("a", two).body == b"2"


def test_revisions_called_like_commits(client: HubClient) -> None:
    """An upload under 40 digits that are no commit is read under them, whatever Git calls it."""
    client.committed(add("other", b""))
    name = "ab" * 20
    commit = client.committed(add("a", b"1"), branch=name)
    answers = [client.resolve("a", name), client.resolve("a", commit)]
    assert [(each.body, each.headers["x-repo-commit"]) for each in answers] == [(b"1", name), (b"1", commit)]
    assert client.paths(name) == ["a"]
    assert client.head(name) == name


def test_squash(client: HubClient) -> None:
    """One commit is left, with all its files; what only history had is gone, what a tag needs is not."""
    client.committed(add("a", b"1"), add("b", b"1"))
    assert client.call("POST", "tag/main", {"tag": "v1"}).status == 200
    two = client.committed(add("a", b"2"))
    client.committed(add("a", b"3"))
    assert client.call("POST", "super-squash/main", {"message": "one"}).status == 200
    assert [each["title"] for each in client.call("GET", "commits/main").json] == ["one"]
    assert [client.resolve(path).body for path in ("a", "b")] == [b"3", b"1"]
    assert (client.resolve("a", "v1").body, client.resolve("a", two).status) == (b"1", 404)
    listed = ask(client.regproxy, "GET", f"/api/storage/hub/models/{client.repo}?list&deep=1").json
    kept = [each["uri"].rpartition("/")[2] for each in listed["files"] if "/_" not in each["uri"]]
    assert sorted(kept) == ["a", "a", "b"]


def test_repositories(client: HubClient) -> None:
    """Made, not twice, listed, found by anybody's own name, and deleted with everything."""
    made = client.ask("POST", "api/repos/create", {"name": client.repo, "type": "dataset", "private": True})
    again = client.ask("POST", "api/repos/create", {"name": client.repo, "type": "dataset"})
    assert (made.status, again.status, made.json["url"]) == (200, 409, again.json["url"])
    assert made.json["url"].endswith(f"{client.endpoint}/datasets/{client.repo}")
    assert client.ask("GET", f"api/datasets/{client.repo}").json["siblings"] == []
    own = client.ask("POST", "api/repos/create", {"name": "mine", "organization": None})
    assert own.json["id"] == "anonymous/mine"
    found = client.ask("GET", f"api/datasets?author=acme&search={client.repo[5:]}").json
    assert [each["id"] for each in found] == [client.repo]
    body = {"name": client.repo, "type": "dataset"}
    assert [client.ask("DELETE", "api/repos/delete", body).status for _ in range(2)] == [200, 404]
    assert client.ask("GET", f"api/datasets/{client.repo}").status == 404
    assert client.ask("POST", "api/repos/create", {"name": "a/b/c"}).status == 404


def test_deleted_by_path(client: HubClient) -> None:
    """A repository goes by its path as by its name; a part of it does not, for commits share what lies there."""
    commit = client.committed(add("a", b"1"))
    path = f"/hub/models/{client.repo}"
    refused = [ask(client.regproxy, "DELETE", f"{path}/{part}") for part in (commit, f"{commit}/a", "_refs.json", "main")]
    assert [(405, "MethodNotAllowed")] * 4 == [code_of(each) for each in refused]
    assert "deleted by a commit" in refused[0].json["error"]
    assert client.resolve("a").body == b"1"
    assert [204, 404] == [ask(client.regproxy, "DELETE", each).status for each in (path, f"{path}/")]
    assert code_of(client.call("GET", "")) == (404, "RepoNotFound")
    assert 404 == ask(client.regproxy, "GET", f"/api/storage{path}").status
    client.committed(add("a", b"1"))
    assert 204 == ask(client.regproxy, "DELETE", f"/artifactory{path}/").status
    assert 404 == ask(client.regproxy, "DELETE", "/hub/models/acme").status


def test_what_is_not_served(client: HubClient) -> None:
    """Said so, with the right status."""
    client.committed(add("a", b""))
    answers = [
        client.call("PUT", "settings", {"private": True}),
        client.ask("POST", "api/repos/move", {"fromRepo": "a/b", "toRepo": "a/c"}),
        client.ask("GET", "api/agent-harnesses"),
        client.ask("POST", f"{client.repo}/resolve/main/a"),
        client.call("DELETE", "commit/main"),
    ]
    assert [each.status for each in answers] == [404, 405, 404, 404, 405]
    assert client.ask("POST", "api/validate-yaml", {"content": ""}).json == {"errors": [], "warnings": []}
    assert client.ask("GET", "api/whoami-v2").status == 401
    assert client.ask("GET", "api/whoami-v2", authorization="Bearer hf_x").json["name"] == "anonymous"
