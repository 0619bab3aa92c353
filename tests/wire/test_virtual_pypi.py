"""A virtual repository of Python packages over real sockets: whose a name is, for whomever; pages, files, uploads, outages."""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urljoin

import pytest
from attrs import frozen

from regproxy.access.first import OPEN
from regproxy.model.access import Action
from regproxy.model.principals import ANONYMOUS, Target, User
from tests.fakes.deploying import Answer, ask
from tests.fakes.index import Index
from tests.fakes.index_files import make_sdist, make_wheel
from tests.fakes.people import HASH, basic, populate
from tests.fakes.process import Regproxy
from tests.fakes.publishing import JSON_TYPE, page, pypi, upload
from tests.wire import test_virtual
from tests.wire.test_life import wait_until

ALL = (Action.READ, Action.WRITE, Action.DELETE, Action.ANNOTATE)
ANN = {"authorization": basic("ann")}
CARL = {"authorization": basic("carl")}
DOWN = (502, 503, 504)
OURS, THEIRS = make_wheel("mine", "1.0"), make_wheel("mine", "99.0")
SECRET, PUBLIC_SECRET = make_wheel("secret", "1.0"), make_wheel("secret", "99.0")
NEAR = make_wheel("near", "1.0")
BOTH, SAME = make_wheel("both", "1.0"), make_wheel("both", "1.0", padding=64)


def virtual(key: str, *members: str, deploys: str = "", more: str = "") -> str:
    """The table of one."""
    return test_virtual.virtual(key, *members, deploys=deploys).replace('"generic"', '"pypi"') + more


@frozen
class Scene:
    """Local ``own``, and ``vault`` for ann alone; upstreams ``near``, ``far``, and ``last``, which is stopped and started."""

    proxy: Regproxy
    near: Index
    far: Index
    last: Index

    def get(self, address: str, **headers: str) -> Answer:
        """Ask below ``/api/pypi``."""
        return ask(self.proxy, "GET", f"/api/pypi/{address}", **headers)

    def names(self, key: str, name: str, **headers: str) -> list[str]:
        """Files on a project's page; every address on it leads to what it says, with its metadata."""
        found = page(self.proxy, name, key, headers=headers)
        for each in found["files"] if found else []:
            address = urljoin(f"/api/pypi/{key}/simple/{name}/", each["url"])
            got = ask(self.proxy, "GET", address, **headers)
            assert (200, each["size"]) == (got.status, len(got.body)), address
            if each.get("core-metadata"):
                assert ask(self.proxy, "GET", f"{address}.metadata", **headers).body.startswith(b"Metadata-Version")
        return [each["filename"] for each in found["files"]] if found else []

    def asked(self, name: str) -> list[str]:
        """What any upstream has heard of a name."""
        return [each.path for index in (self.near, self.far, self.last) for each in index.seen if name in each.path]


def tables(near: Index, far: Index, last: Index) -> str:
    """All repositories."""
    first, anew = "priorityResolution = true", "retrievalCachePeriodSecs = 0"
    moment = anew, "missedRetrievalCachePeriodSecs = 0", "assumedOfflinePeriodSecs = 1"
    every = [
        pypi(),
        pypi("vault"),
        near.remote("near"),
        far.remote("far", anew),
        far.remote("before", first),
        near.remote("closed", 'includesPattern = "near/**"'),
        last.remote("last", *moment),
        last.remote("ahead", first, *moment),
        near.remote("quiet"),
        far.remote("held", first),
        near.remote("off", "offline = true"),
        near.remote("away", first, "offline = true"),
        virtual("all", "near", "far", "vault", "own", deploys="own"),
        virtual("prior", "own", "near", "before"),
        virtual("shared", "near", "own", more='sharedNamesPattern = "mi*"\n'),
        virtual("some", "closed", "far"),
        virtual("weak", "near", "last"),
        virtual("led", "near", "ahead"),
        virtual("nested", "weak", "own"),
        virtual("hidden", "vault", "own", deploys="vault"),
        virtual("nested-vault", "near", "hidden"),
        virtual("calm", "quiet", "far"),
        virtual("strict", "held", "near"),
        virtual("air", "off", "far"),
        virtual("shut", "away", "far"),
    ]
    return "\n".join(every)


def rights() -> list[User | Target]:
    """Everybody may everything, but in one repository that is ann's, and two for which nobody else may have anything fetched."""
    keys = "own", "near", "far", "before", "closed", "last", "ahead", "off", "away"
    several = "all", "prior", "shared", "some", "weak", "led", "nested", "hidden", "nested-vault", "calm", "strict", "air", "shut"
    everybody: dict[str, tuple[Action, ...]] = dict.fromkeys((ANONYMOUS, "ann", "carl"), ALL)
    return [
        User(name="ann", password=HASH),
        User(name="carl", password=HASH),
        Target(name=OPEN[0].name, repositories=(*keys, *several), users=everybody),
        Target(name=OPEN[1].name),
        Target(name="vault", repositories=("vault",), users={"ann": ALL}),
        Target(name="held", repositories=("quiet", "held"), users={"ann": ALL, ANONYMOUS: (Action.READ,)}),
    ]


def fill(near: Index, far: Index, last: Index) -> None:
    """What upstreams have."""
    for index in (near, far, last):
        for each in (THEIRS, PUBLIC_SECRET):
            index.add(each, metadata=True)
    near.add(BOTH, metadata=True, yanked="broken")
    far.add(SAME)
    far.add(make_sdist("both", "2.0"))
    near.add(NEAR, metadata=True)
    far.add(make_wheel("far", "1.0"), hashed=False)
    for index in (far, last):
        index.add(make_wheel("late", "1.0"))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One server for all."""
    with Index() as near, Index() as far, Index() as last:
        fill(near, far, last)
        proxy = Regproxy(tmp_path_factory.mktemp("virtual"), tables(near, far, last))
        proxy.start()
        try:
            for built, key in ((OURS, "own"), (SECRET, "vault")):
                assert upload(proxy, built, key=key).status == 200
            populate(proxy, *rights())
            yield Scene(proxy, near, far, last)
        finally:
            proxy.close()


def test_a_name_of_ours(scene: Scene) -> None:
    """Is ours alone, whatever upstream has under it, and upstream does not hear of it; other names are fetched."""
    assert [OURS.filename] == scene.names("all", "mine")
    theirs = f"all/packages/mine/99.0/{THEIRS.sha256}/{THEIRS.filename}"
    assert 404 == scene.get(theirs, **CARL).status == scene.get(f"{theirs}.metadata", **CARL).status
    assert 404 == scene.get(f"all/mine/99.0/{THEIRS.filename}", **CARL).status
    assert 404 == scene.get("all/pypi/mine/json", **CARL).status
    assert [] == scene.asked("mine")
    assert [NEAR.filename] == scene.names("all", "near")
    assert ["far-1.0-py3-none-any.whl"] == scene.names("all", "far")
    assert 404 == scene.get("all/simple/none/", **CARL).status
    assert "near" == ask(scene.proxy, "GET", "/all/.pypi/near.json").json["name"]
    stored = "mine.json", "api/mine/99.0.json"
    assert [404, 404] == [ask(scene.proxy, "GET", f"/all/.pypi/{path}", **CARL).status for path in stored]
    release = scene.get("all/pypi/near/json").json["urls"][0]["url"]
    assert release.startswith(f"{scene.proxy.base_url}/api/pypi/all/packages/near/")
    assert 200 == ask(scene.proxy, "GET", release.removeprefix(scene.proxy.base_url)).status


def test_a_name_of_ours_that_one_may_not_see(scene: Scene) -> None:
    """Is nobody else's for that: one with a name hears 404, one without is to log in, and no upstream hears of it."""
    for address in ("simple/secret/", f"packages/secret/99.0/{PUBLIC_SECRET.sha256}/{PUBLIC_SECRET.filename}"):
        assert 401 == scene.get(f"all/{address}").status
        told = scene.get(f"all/{address}", **CARL)
        assert (404, True) == (told.status, b"that you may read" in told.body)
    assert [SECRET.filename] == scene.names("all", "secret", **ANN)
    assert [] == scene.asked("secret")


def test_a_name_that_one_may_not_see_is_as_one_that_nobody_has(scene: Scene) -> None:
    """Whoever shows no name is asked for it, a name hears 404; without that nobody learns what there is in a hidden member."""
    nowhere = make_wheel("nowhere", "1.0")
    for wheel, name in ((SECRET, "secret"), (nowhere, "nowhere")):
        file = f"{name}/1.0/{wheel.filename}"
        below = f"simple/{name}/", f"packages/{name}/1.0/{wheel.sha256}/{wheel.filename}", f"pypi/{name}/json", file
        for address in (f"{key}/{each}" for key in ("all", "nested-vault") for each in below):
            asked = [ask(scene.proxy, method, f"/api/pypi/{address}").status for method in ("GET", "HEAD")]
            assert ([401, 401], 404) == (asked, scene.get(address, **CARL).status), address


def test_equals_are_laid_over_one_another(scene: Scene) -> None:
    """Of one name the file of the first, with what that one says of it; pages have a tag, and stay the same."""
    assert [BOTH.filename, "both-2.0.tar.gz"] == scene.names("all", "both")
    found = page(scene.proxy, "both", "all")
    assert [BOTH.sha256, "broken", False] == [found["files"][0]["hashes"]["sha256"], *(each["yanked"] for each in found["files"])]
    assert (["1.0", "2.0"], "1.4") == (found["versions"], found["meta"]["api-version"])
    html = scene.get("all/simple/both/")
    assert (200, "text/html") == (html.status, html.headers["content-type"])
    for accept in (JSON_TYPE, "text/html"):
        answer = scene.get("all/simple/both/", accept=accept)
        assert 304 == scene.get("all/simple/both/", accept=accept, if_none_match=answer.headers["etag"]).status
        assert answer.body == scene.get("all/simple/both/", accept=accept).body
    links = Links()
    links.feed(html.body.decode())
    for href in links.found:
        assert 200 == ask(scene.proxy, "GET", urljoin("/api/pypi/all/simple/both/", href.partition("#")[0])).status
    other = scene.get(f"all/packages/both/1.0/{SAME.sha256}/{SAME.filename}")
    assert (200, SAME.data) == (other.status, other.body)


class Links(HTMLParser):
    """Those of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep one."""
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def test_priority_and_names_that_are_shared(scene: Scene) -> None:
    """What is to come first hides ours, and gives way where it has nothing; a shared name is everybody's."""
    assert [THEIRS.filename] == scene.names("prior", "mine")
    ours = f"packages/mine/1.0/{OURS.sha256}/{OURS.filename}"
    assert (404, 200) == (scene.get(f"prior/{ours}").status, scene.get(f"all/{ours}").status)
    assert [NEAR.filename] == scene.names("prior", "near")
    assert [OURS.filename, THEIRS.filename] == scene.names("shared", "mine")
    assert OURS.data == scene.get(f"shared/{ours}").body


def test_patterns_keep_a_name_from_a_member(scene: Scene) -> None:
    """It is not asked for what it may not have."""
    before = len(scene.near.asked("/simple/both/"))
    assert [SAME.filename, "both-2.0.tar.gz"] == scene.names("some", "both")
    assert before == len(scene.near.asked("/simple/both/"))
    assert [NEAR.filename] == scene.names("some", "near")


def test_who_may_not_have_it_fetched(scene: Scene) -> None:
    """Sees what is held; a member that may not be asked has no say among equals, and leaves nothing to those behind it."""
    for key in ("calm", "air"):
        assert [SAME.filename, "both-2.0.tar.gz"] == scene.names(key, "both")
    assert [BOTH.filename, "both-2.0.tar.gz"] == scene.names("calm", "both", **ANN) == scene.names("calm", "both")
    assert (404, 404) == tuple(scene.get(f"{key}/simple/far/").status for key in ("strict", "shut"))
    near = f"packages/near/1.0/{NEAR.sha256}/{NEAR.filename}"
    assert (404, 404) == tuple(scene.get(f"strict/{path}").status for path in ("simple/near/", near))
    assert [NEAR.filename] == scene.names("strict", "near", **ANN)
    assert ["far-1.0-py3-none-any.whl"] == scene.names("strict", "far", **ANN) == scene.names("strict", "far")


def test_outages(scene: Scene) -> None:
    """One that cannot be asked may have the newest version, or be the one to come first: that is said, or its old copy serves."""
    assert ["both-1.0-py3-none-any.whl"] == scene.names("weak", "both")
    assert ["late-1.0-py3-none-any.whl"] == scene.names("weak", "late")
    scene.last.stop()
    try:
        for key in ("weak", "led", "nested"):
            told = scene.get(f"{key}/simple/near/")
            assert told.status in DOWN, (key, told.status)
        stale = scene.get("weak/simple/late/", accept=JSON_TYPE)
        assert (200, "stale") == (stale.status, stale.headers["x-regproxy-cache"])
        assert [OURS.filename] == scene.names("nested", "mine")
    finally:
        scene.last.start()
    for key in ("weak", "led"):
        wait_until(lambda key=key: scene.get(f"{key}/simple/near/").status == 200)  # type: ignore[misc] # a default, not a parameter


def test_uploads(scene: Scene) -> None:
    """They go to the one that takes them, are seen at once, and are deleted where they lie."""
    built = make_wheel("fresh", "1.0")
    assert [] == scene.names("all", "fresh")
    assert (405, 405) == (upload(scene.proxy, built, key="shared").status, upload(scene.proxy, built, key="near").status)
    refused = upload(scene.proxy, built, key="shared")
    assert "defaultDeploymentRepo" in refused.body.decode()
    assert 200 == upload(scene.proxy, built, key="all").status
    assert [built.filename] == scene.names("all", "fresh") == scene.names("own", "fresh")
    info = ask(scene.proxy, "GET", f"/api/storage/all/fresh/1.0/{built.filename}").json
    assert built.data == ask(scene.proxy, "GET", info["downloadUri"].removeprefix(scene.proxy.base_url)).body
    assert [204, 404] == [ask(scene.proxy, "DELETE", f"/all/fresh/1.0/{built.filename}").status for _ in range(2)]
    assert [] == scene.names("all", "fresh")
    assert 405 == ask(scene.proxy, "DELETE", "/weak/near/1.0/x").status


def test_the_name_of_a_hidden_member_is_not_told(scene: Scene) -> None:
    """Neither in the configuration that everybody sees, nor to whoever uploads something that would go there."""
    for who, members, deployment in ((CARL, ["own"], ""), (ANN, ["vault", "own"], "vault")):
        shown = ask(scene.proxy, "GET", "/api/repositories/hidden", **who).json
        assert (members, deployment) == (shown["repositories"], shown["defaultDeploymentRepo"])
    refused = upload(scene.proxy, make_wheel("fresh", "1.0"), key="hidden", headers=CARL)
    assert (404, True, False) == (refused.status, b"hidden takes nothing" in refused.body, b"vault" in refused.body)
    assert b"vault" not in ask(scene.proxy, "DELETE", "/hidden/fresh/1.0/x", **CARL).body


def test_lists(scene: Scene) -> None:
    """Every project of any member once, in both forms."""
    found = scene.get("all/simple/", accept=JSON_TYPE)
    names = [each["name"] for each in found.json["projects"]]
    assert {"both", "near", "far", "late", "mine"} <= set(names)
    assert len(names) == len(set(names))
    assert 304 == scene.get("all/simple/", accept=JSON_TYPE, if_none_match=found.headers["etag"]).status
    assert b'<a href="mine/">mine</a>' in scene.get("all/simple/").body
    assert 301 == ask(scene.proxy, "GET", "/all/simple/Near").status


def test_made_by_rest(scene: Scene) -> None:
    """Made, and served at its addresses."""
    by = basic("admin", (scene.proxy.data_dir / "admin.password").read_text().strip())
    said = b'{"rclass": "virtual", "packageType": "pypi", "repositories": ["own", "near"], "sharedNamesPattern": "x"}'
    assert 200 == ask(scene.proxy, "PUT", "/api/repositories/made", said, authorization=by).status
    shown = ask(scene.proxy, "GET", "/api/repositories/made", authorization=by).json
    assert (["own", "near"], "x") == (shown["repositories"], shown["sharedNamesPattern"])
    answer = ask(scene.proxy, "GET", "/artifactory/api/pypi/made/simple/mine/", accept=JSON_TYPE, authorization=by)
    assert [OURS.filename] == [each["filename"] for each in answer.json["files"]]
    assert 200 == ask(scene.proxy, "DELETE", "/api/repositories/made", authorization=by).status


def test_blacked_out(scene: Scene) -> None:
    """A name of a local one that is closed for a while is nobody else's meanwhile."""
    by = {"authorization": basic("admin", (scene.proxy.data_dir / "admin.password").read_text().strip())}
    built = make_wheel("near", "0.1")

    def put(method: str, key: str, said: dict[str, object]) -> None:
        answer = ask(scene.proxy, method, f"/api/repositories/{key}", json.dumps(said), **by)
        assert answer.status == 200, answer.body

    put("PUT", "dark", {"rclass": "local", "packageType": "pypi"})
    assert 200 == upload(scene.proxy, built, key="dark", headers=by).status
    put("PUT", "dim", {"rclass": "virtual", "packageType": "pypi", "repositories": ["near", "dark"]})
    assert [built.filename] == scene.names("dim", "near", **by)
    put("POST", "dark", {"blackedOut": True})
    near = f"packages/near/1.0/{NEAR.sha256}/{NEAR.filename}"
    ours = f"packages/near/0.1/{built.sha256}/{built.filename}"
    assert [404] * 3 == [scene.get(f"dim/{path}", **by).status for path in ("simple/near/", near, ours)]
    assert [BOTH.filename] == scene.names("dim", "both", **by)
    put("POST", "dark", {"blackedOut": False})
    assert 204 == ask(scene.proxy, "DELETE", f"/dark/near/0.1/{built.filename}", **by).status
    assert [] == scene.names("dim", "near", **by)
    assert 204 == ask(scene.proxy, "DELETE", "/dark/near", **by).status
    assert [NEAR.filename] == scene.names("dim", "near", **by)
