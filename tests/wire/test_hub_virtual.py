"""A virtual hub over real sockets: whose a repository is, what an outage and a gate are, uploads, lists, and rights."""

import hashlib
import random
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from attrs import evolve, frozen

from regproxy.access.first import OPEN
from regproxy.model.access import Action
from regproxy.model.principals import ANONYMOUS, ANY_REMOTE, Target, TokenRow, User
from tests.fakes.deploying import ask
from tests.fakes.hub import Hub
from tests.fakes.hub_pushing import HubClient, add, add_lfs, code_of, hub
from tests.fakes.people import HASH, basic, populate
from tests.fakes.process import Regproxy
from tests.fakes.xet_content import make_shard, make_xorb
from tests.wire.test_life import wait_until

DEAD = "http://127.0.0.1:9"
LARGE = random.Random(3).randbytes(3 << 20)


def virtual(key: str, *members: str, deploys: str = "") -> str:
    """The table of a virtual repository."""
    names = ", ".join(f'"{each}"' for each in members)
    head = f'[[repository]]\nkey = "{key}"\nrclass = "virtual"\npackageType = "huggingfaceml"\nrepositories = [{names}]\n'
    return head + (f'defaultDeploymentRepo = "{deploys}"\n' if deploys else "")


@frozen
class Scene:
    """Two hubs and two local repositories, one of which is closed, behind some virtual ones.

    Attributes:
        commits: of ``main``, by hub and repository.
        token: of one who may read and write everything.
    """

    regproxy: Regproxy
    near: Hub
    far: Hub
    commits: dict[str, str]
    token: str

    def at(self, repo: str, key: str = "all", *, named: bool = False) -> HubClient:
        """A client of a repository, with a name or without one."""
        return HubClient(self.regproxy, repo, key=key, authorization=f"Bearer {self.token}" if named else "")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One server for all."""
    with Hub() as near, Hub() as far:
        commits = {
            "near": near.repo("models", "acme/both").commit({"a": b"near", "n": b"n", "w.bin": LARGE}),
            "far": far.repo("models", "acme/both").commit({"a": b"far", "f": b"f"}),
            "only": far.repo("models", "acme/only").commit({"a": b"only"}),
        }
        for each, name in ((near, "acme/gated"), (near, "acme/open"), (near, "acme/taken"), (near, "acme/hidden")):
            each.repo("models", name, gated=name in ("acme/gated", "acme/open")).commit({"a": name.encode()})
        far.repo("models", "acme/open").commit({"a": b"open"})
        dead = evolve_url(near.remote("dead"))
        tables = (
            near.remote("near"),
            far.remote("far"),
            dead,
            evolve_url(near.remote("hard", "hardFail = true")),
            hub("mine"),
            hub("vault"),
            virtual("all", "near", "far", "vault", "mine", deploys="mine"),
            virtual("more", "dead", "open"),
            virtual("strict", "hard", "open"),
            virtual("read", "near"),
            virtual("open", "near", "far", "mine"),
            virtual("closed", "vault", "near", deploys="vault"),
        )
        regproxy = Regproxy(tmp_path_factory.mktemp("hubs"), "\n".join(tables))
        regproxy.start()
        read, every = (Action.READ,), (Action.READ, Action.WRITE, Action.DELETE)
        open_ones = ("all", "more", "strict", "read", "open", "mine")
        (token,) = populate(
            regproxy,
            User(name="ann", password=HASH),
            Target(name=OPEN[0].name, repositories=open_ones, users={ANONYMOUS: read}),
            Target(name=OPEN[1].name, repositories=(ANY_REMOTE,), users={ANONYMOUS: (Action.READ, Action.WRITE)}),
            Target(name="ann", repositories=("all", "closed", "mine", "vault", "near", "far"), users={"ann": every}),
            TokenRow(id="ann", subject="ann", scope="applied-permissions/user", issued=1.0),
        )
        try:
            yield Scene(regproxy, near, far, commits, token)
        finally:
            regproxy.close()


def evolve_url(table: str) -> str:
    """The same of an upstream where nobody is."""
    return "\n".join(f'url = "{DEAD}"' if line.startswith("url") else line for line in table.splitlines()) + "\n"


def test_one_member_for_all_of_a_repository(scene: Scene) -> None:
    """What two hubs call by one name is the first one's, whole; what only the other has is that one's."""
    both, only = scene.at("acme/both"), scene.at("acme/only")
    assert (scene.commits["near"], ["a", "n", "w.bin"]) == (both.head(), both.paths())
    assert ["a", "n", "w.bin"] == [each["path"] for each in both.call("GET", f"tree/{scene.commits['near']}").json]
    answer = both.resolve("a")
    assert (b"near", scene.commits["near"]) == (answer.body, answer.headers["x-repo-commit"])
    assert LARGE == both.resolve("w.bin", scene.commits["near"]).body
    assert code_of(both.resolve("f")) == (404, "EntryNotFound")
    assert 404 == both.resolve("a", scene.commits["far"]).status
    assert not scene.far.asked("acme/both")
    asked = both.call("POST", "paths-info/main", "paths=a&paths=f")
    assert ["a"] == [each["path"] for each in asked.json]
    assert (scene.commits["only"], b"only") == (only.head(), only.resolve("a").body)
    assert {} == only.call("GET", "auth-check").json
    assert [scene.commits["only"]] == [each["targetCommit"] for each in only.call("GET", "refs").json["branches"]]
    none = scene.at("acme/none", "open")
    assert [(404, "RepoNotFound")] * 2 == [code_of(none.call("GET", "")), code_of(none.resolve("a"))]
    assert 401 == scene.at("acme/none").resolve("a").status  # the closed one may have it


def test_pages_of_a_tree_lead_through_it(scene: Scene) -> None:
    """The link to the next page is one to the virtual repository."""
    scene.far.repo("datasets", "acme/rows").commit({f"{number}.csv": b"%d" % number for number in range(5)})
    rows = evolve(scene.at("acme/rows"), kind="datasets")
    page = rows.call("GET", "tree/main")
    link = page.headers["link"].partition(">")[0].removeprefix("<")
    assert link.startswith(f"{scene.regproxy.base_url}/api/huggingfaceml/all/api/datasets/acme/rows/tree/")
    following = rows.ask("GET", link.partition("/all/")[2]).json
    assert [f"{number}.csv" for number in range(5)] == [each["path"] for each in [*page.json, *following]]


def test_gates(scene: Scene) -> None:
    """A gate gives way to a hub without one, and is told where there is none: by the code that clients raise it by."""
    opened = scene.at("acme/open")
    assert b"open" == opened.resolve("a").body
    gated = scene.at("acme/gated")
    refused = gated.resolve("a")
    assert (code_of(refused), "restricted" in refused.headers["x-error-message"]) == ((403, "GatedRepo"), True)
    assert "manual" == gated.call("GET", "").json["gated"]


def test_outages(scene: Scene) -> None:
    """A hub that is down hides nothing that others have, and its silence is no 404; ``hardFail`` stops the search for what nobody
    holds.
    """
    scene.far.repo("models", "acme/fresh").commit({"a": b"fresh"})
    assert b"only" == scene.at("acme/only", "more").resolve("a").body
    for key, repo in (("more", "acme/none"), ("strict", "acme/fresh")):
        refused = scene.at(repo, key).resolve("a")
        assert (True, True) == (refused.status in (502, 503, 504), bool(refused.headers["x-error-message"]))
    assert [b"fresh"] * 2 == [scene.at("acme/fresh", key).resolve("a").body for key in ("open", "strict")]


def test_uploads(scene: Scene) -> None:
    """A commit through it makes a repository in the one that takes uploads: seen at once, in place of an upstream's."""
    taken = scene.at("acme/taken")
    assert b"acme/taken" == taken.resolve("a").body
    (upload,) = [each["actions"]["upload"]["href"] for each in taken.batch(LARGE).json["objects"]]
    assert upload.startswith(f"{scene.regproxy.base_url}/api/huggingfaceml/all/acme/taken.git/info/lfs/objects/")
    assert 200 == taken.put(upload, LARGE).status
    answer = taken.commit(add("a", b"ours"), add_lfs("w.bin", LARGE))
    assert answer.json["commitUrl"].startswith(f"{scene.regproxy.base_url}/api/huggingfaceml/all/models/acme/taken/commit/")
    commit = answer.json["commitOid"]
    for key in ("all", "mine"):
        client = scene.at("acme/taken", key)
        assert (commit, b"ours", LARGE) == (client.head(), client.resolve("a").body, client.resolve("w.bin").body)
    assert 200 == taken.call("POST", "branch/dev", {}).status
    assert 200 == taken.call("POST", "tag/main", {"tag": "v1"}).status
    refs = taken.call("GET", "refs").json
    assert ({"main", "dev"}, {"v1"}) == tuple({each["name"] for each in refs[kind]} for kind in ("branches", "tags"))
    assert 200 == taken.call("DELETE", "branch/dev").status
    assert 200 == taken.ask("DELETE", "api/repos/delete", {"name": "acme/taken"}).status
    assert b"acme/taken" == taken.resolve("a").body


def test_xet_uploads(scene: Scene) -> None:
    """The store that a token leads to is one of the virtual repository; what is sent there is good for a commit."""
    client = scene.at("acme/xet", named=True)
    token = client.call("GET", "xet-write-token/main").json
    assert token["casUrl"].startswith(f"{scene.regproxy.base_url}/api/huggingfaceml/all/api/xet/")
    xorb = make_xorb([LARGE[: 64 << 10], LARGE[64 << 10 : 100 << 10]])
    store, by = urlsplit(token["casUrl"]).path, f"Bearer {token['accessToken']}"
    sent = ask(scene.regproxy, "POST", f"{store}/v1/xorbs/default/{xorb.name}", xorb.body, authorization=by)
    assert (200, True) == (sent.status, sent.json["was_inserted"])
    assert 404 == ask(scene.regproxy, "POST", f"{store}/v1/xorb-grants/default/{xorb.name}", b"{}", authorization=by).status
    shard = ask(scene.regproxy, "POST", f"{store}/v1/shards", make_shard([(xorb, 0, 2)]), authorization=by)
    assert 200 == shard.status, shard.body
    client.committed(add_lfs("x.bin", LARGE[: 100 << 10]))
    assert LARGE[: 100 << 10] == client.resolve("x.bin").body
    other = store.replace("acme/xet", "acme/other")
    assert 403 == ask(scene.regproxy, "POST", f"{other}/v1/xorbs/default/{xorb.name}", xorb.body, authorization=by).status


def test_what_is_hidden_is_nobody_elses(scene: Scene) -> None:
    """Behind a name that a closed repository has no upstream is asked; who may see it gets it."""
    scene.at("acme/hidden", "vault", named=True).committed(add("a", b"ours"))
    before = len(scene.near.asked("acme/hidden"))
    for path in ("api/models/acme/hidden", "acme/hidden/resolve/main/a", "api/models/acme/hidden/tree/main"):
        refused = scene.at("acme/hidden").ask("GET", path)
        assert 401 == refused.status
    assert before == len(scene.near.asked("acme/hidden"))
    assert b"ours" == scene.at("acme/hidden", named=True).resolve("a").body
    assert "acme/hidden" not in {each["id"] for each in scene.at("").ask("GET", "api/models").json}


def test_what_a_hub_calls_by_another_name(scene: Scene) -> None:
    """A hub answers for an old name by what it has under a new one, but not if that is the name of a local repository here."""
    scene.near.renamed |= {"old/both": "acme/both", "old/ours": "acme/Ours"}
    scene.near.repo("models", "acme/Ours").commit({"a": b"theirs"})
    assert b"near" == scene.at("old/both", "open").resolve("a").body
    assert b"theirs" == scene.at("old/ours", "read").resolve("a").body
    scene.at("acme/ours", "mine", named=True).committed(add("a", b"ours"))
    refused = [scene.at("old/ours", "open").resolve("a"), scene.at("old/ours", "open").call("GET", "tree/main")]
    assert [(404, "RepoNotFound")] * 2 == [code_of(each) for each in refused]
    listed = [each["id"] for each in scene.at("", "open").ask("GET", "api/models").json]
    assert ["acme/ours"] == [each for each in listed if each.lower() == "acme/ours"]


def test_addresses_that_need_no_credentials(scene: Scene) -> None:
    """What is signed is good for one object at the address of a virtual repository that nobody else may see, and no more."""
    client = scene.at("acme/secret", "closed", named=True)
    (upload,) = [each["actions"]["upload"]["href"] for each in client.batch(LARGE).json["objects"]]
    other, signature = "0" * 64, upload.partition("?")[2]
    assert 200 == client.put(upload, LARGE).status
    assert 401 == client.put(upload.partition("?")[0], LARGE).status
    assert 403 == client.put(upload.replace(hashlib.sha256(LARGE).hexdigest(), other), b"x").status
    client.committed(add_lfs("w.bin", LARGE))
    assert LARGE == client.resolve("w.bin").body
    stranger = scene.at("acme/secret", "closed")
    assert [401, 404] == [stranger.resolve(f"w.bin{query}").status for query in ("", f"?{signature}")]
    assert "acme/secret" not in scene.at("").ask("GET", "api/models").body.decode()


def test_read_only(scene: Scene) -> None:
    """Without a member that takes them, whatever would write is refused with what is missing."""
    client = scene.at("acme/both", "read")
    answers = [
        client.ask("POST", "api/repos/create", {"name": "acme/new"}),
        client.call("POST", "preupload/main", {"files": []}),
        client.commit(add("a", b"")),
        client.call("GET", "xet-write-token/main"),
        client.batch(b"x"),
        client.call("DELETE", "branch/main"),
    ]
    assert [405] * 6 == [each.status for each in answers]
    assert all("defaultDeploymentRepo" in each.headers["x-error-message"] for each in answers)
    roles = [
        scene.at("x", key, named=True).ask("GET", "api/whoami-v2").json["auth"]["accessToken"]["role"] for key in ("read", "all")
    ]
    assert ["read", "write"] == roles
    assert 401 == client.ask("GET", "api/whoami-v2").status


def test_lists(scene: Scene) -> None:
    """All that the members list, each once, those of local ones first, in pages with links of their own."""
    scene.at("acme/listed", named=True).committed(add("a", b""))
    client = scene.at("")
    found = [each["id"] for each in client.ask("GET", "api/models").json]
    assert sorted(set(found)) == sorted(found)
    assert {"acme/listed", "acme/both", "acme/only", "acme/gated", "acme/open"} <= {*found}
    assert found.index("acme/listed") < found.index("acme/both") < found.index("acme/only")
    pages, path = [], "api/models?limit=1"
    for _ in range(20):
        page = client.ask("GET", path)
        pages += [each["id"] for each in page.json]
        link = page.headers.get("link", "").partition(">")[0].removeprefix("<")
        if not link:
            break
        assert link.startswith(f"{scene.regproxy.base_url}/api/huggingfaceml/all/api/models?")
        path = link.partition("/all/")[2]
    assert {*found} == {*pages}
    assert 400 == client.ask("GET", "api/models?cursor=none~").status
    assert ["acme/listed"] == [each["id"] for each in client.ask("GET", "api/models?search=listed&author=acme").json][:1]


def test_what_was_searched_is_nobody_elses_business(scene: Scene) -> None:
    """A list is held, and neither a listing nor a search of what is held tells the words of those who asked."""
    by = basic("admin", (scene.regproxy.data_dir / "admin.password").read_text().strip())
    assert 200 == scene.at("", "near").ask("GET", "api/models?search=takeover&author=rival").status
    children = ask(scene.regproxy, "GET", "/api/storage/near-cache/models", authorization=by).json["children"]
    held = [
        each["uri"] for each in children if each["uri"].startswith("/_list.json%3F") or each["uri"].startswith("/_list.json?")
    ]
    assert held
    assert not [each for each in held if "takeover" in each or "rival" in each]
    for words in ("takeover", "rival"):
        found = ask(scene.regproxy, "GET", f"/api/search/artifact?name=*{words}*&repos=near-cache", authorization=by)
        assert (200, []) == (found.status, found.json["results"])


def test_made_by_rest(scene: Scene) -> None:
    """A virtual hub can be made while the server runs."""
    by = basic("admin", (scene.regproxy.data_dir / "admin.password").read_text().strip())
    said = b'{"rclass": "virtual", "packageType": "huggingfaceml", "repositories": ["far"]}'
    assert 200 == ask(scene.regproxy, "PUT", "/api/repositories/made", said, authorization=by).status
    made = HubClient(scene.regproxy, "acme/only", key="made", authorization=by)
    wait_until(lambda: made.resolve("a").status == 200)
    assert b"only" == made.resolve("a").body
