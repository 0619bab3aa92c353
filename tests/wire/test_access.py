"""Who may not, sees nothing: several people at every kind of route, by every way that tells anything of what is there."""

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from attrs import frozen

from regproxy.access.first import OPEN
from regproxy.access.scopes import METRICS
from regproxy.model.access import Action
from regproxy.model.principals import ANONYMOUS, Target, TokenRow, User
from tests.fakes.deploying import Answer, ask, local
from tests.fakes.files import remote
from tests.fakes.origin import Origin, origin
from tests.fakes.people import HASH, basic, populate
from tests.fakes.process import Regproxy
from tests.wire.test_life import wait_until

Start = Callable[..., Regproxy]

DATA = b"for few eyes " * 20_000
DIGEST = "sha256:" + hashlib.sha256(DATA).hexdigest()
ALL = (Action.READ, Action.WRITE, Action.DELETE, Action.ANNOTATE)
PUBLIC = "public"
LOCAL = {"secret": "generic", "parcel": "pypi", "pushed": "docker", "trained": "huggingfaceml"}
PRIVATE = {**LOCAL, "vault": "generic", "image": "docker", "model": "huggingfaceml", "wheel": "pypi"}
_REGISTRY = (
    "/",
    "/a/b/manifests/1",
    f"/a/b/manifests/{DIGEST}",
    f"/a/b/blobs/{DIGEST}",
    f"/a/b/referrers/{DIGEST}",
    "/a/b/tags/list",
    "/_catalog",
    "/a/b/nothing",
)
_HUB = ("/api/models/a/b", "/a/b/resolve/main/f", "/api/models/a/b/tree/main", "/api/models", "/api/whoami-v2")
_PUSH = (
    "/a/b/blobs/uploads/",
    f"/a/b/blobs/uploads/?mount={DIGEST}&from=secret/a",
    "/a/b/blobs/uploads/0123",
    "/a/b/manifests/2",
)
_TRAIN = (
    "/api/repos/create",
    "/api/models/a/b/preupload/main",
    "/api/models/a/b/commit/main",
    "/api/models/a/b/branch/x",
    "/api/models/a/b/tag/main",
    "/api/models/a/b/super-squash/main",
    "/api/models/a/b/xet-write-token/main",
    "/a/b.git/info/lfs/objects/batch",
    "/a/b.git/info/refs?service=git-upload-pack",
    f"/a/b/lfs/{DIGEST[7:]}",
)
_INDEX = ("", "/simple/", "/simple/x/", "/pypi/x/json")
ROUTES = {
    "secret": ("/{r}/f", "/{r}/", "/{r}", "/{r}/none", "/artifactory/{r}/f", "/{r}/f;a=b"),
    "vault": ("/{r}/f", "/{r}/none", "/{r}-cache/f", "/artifactory/{r}-cache/none"),
    "image": (
        *(base + path for base in ("/v2/{r}", "/{r}/v2", "/api/docker/{r}/v2") for path in _REGISTRY),
        "/{r}/a/b/1/manifest.json",
    ),
    "model": (*(f"/api/huggingfaceml/{{r}}{path}" for path in _HUB), "/{r}/models/a/b/f"),
    "parcel": (*(f"/api/pypi/{{r}}{path}" for path in _INDEX), "/{r}/x/1/x-1.tar.gz", "/{r}/"),
    "pushed": (*("/v2/{r}" + path for path in (*_REGISTRY, *_PUSH)), *("/{r}/v2" + path for path in _PUSH)),
    "trained": (*(f"/api/huggingfaceml/{{r}}{path}" for path in (*_HUB, *_TRAIN)), "/{r}/models/a/b/f"),
    "wheel": (*(f"/api/pypi/{{r}}{path}" for path in _INDEX), "/{r}/x/1/x-1.tar.gz"),
}
EVERYWHERE = (
    "/api/storage/{r}",
    "/api/storage/{r}/f",
    "/api/storage/{r}/f?properties",
    "/api/storage/{r}/f?stats",
    "/api/storage/{r}/?list&deep=1",
    "/api/storage/{r}/?lastModified",
    "/api/storage/{r}-cache/f",
    "/api/repositories/{r}",
    "/api/copy/{r}/f?to=/public/x",
    "/api/move/{r}/f?to=/public/x",
    "/api/copy/public?to=/{r}/x",
    "/api/search/pattern?pattern={r}:*",
)


@frozen
class Scene:
    """The server, and what each shows: ann may, bob may elsewhere, eve's token was revoked."""

    regproxy: Regproxy
    upstream: Origin
    shown: dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Private repositories of which ann knows, and a public one."""
    with origin({"/f": DATA, "/slow": DATA}) as upstream:
        tables = [local(PUBLIC), *(local(key).replace('"generic"', f'"{package_type}"') for key, package_type in LOCAL.items())]
        for key, package_type in PRIVATE.items():
            if key not in LOCAL:
                table = remote(upstream.url).replace('"files"', f'"{key}"').replace('"generic"', f'"{package_type}"')
                tables.append(table)
        regproxy = Regproxy(tmp_path_factory.mktemp("access"), "\n".join(tables))
        regproxy.start()
        try:
            assert ask(regproxy, "PUT", "/secret/f", DATA).status == 201
            assert ask(regproxy, "PUT", "/api/storage/secret/f?properties=kind=odd").status == 204
            assert ask(regproxy, "GET", "/vault/f").body == DATA
            row = TokenRow(id="gone", subject="ann", scope="applied-permissions/user", issued=1.0)
            good, gone, bobs, admins = populate(
                regproxy,
                User(name="ann", password=HASH),
                User(name="bob", password=HASH),
                Target(name=OPEN[0].name, repositories=(PUBLIC,), users={ANONYMOUS: (Action.READ,), "bob": ALL}),
                Target(name=OPEN[1].name),
                Target(name="private", repositories=tuple(PRIVATE), users={"ann": ALL}),
                TokenRow(id="good", subject="ann", scope="applied-permissions/user", issued=1.0),
                row,
                *(TokenRow(id=f"of {who}", subject=who, scope=METRICS, issued=1.0) for who in ("bob", "admin")),
            )
            assert ask(regproxy, "GET", "/secret/f", authorization=f"Bearer {gone}").status == 200
            populate(regproxy, User(name="eve", password=HASH, enabled=False))
            shown = {
                "nobody": {},
                "bob": {"authorization": basic("bob")},
                "ann": {"authorization": basic("ann")},
                "ann by token": {"x_jfrog_art_api": good},
                "ann by password": {"authorization": basic("", good)},
                "bob's scraper": {"x_jfrog_art_api": bobs},
                "scraper": {"x_jfrog_art_api": admins},
            }
            yield Scene(regproxy, upstream, shown)
        finally:
            regproxy.close()


def seen(answer: Answer, key: str) -> tuple[object, ...]:
    """What a client could learn from an answer, with the repository's name taken out."""
    kept = {name: value.replace(key, "?") for name, value in answer.headers.items() if name not in ("date", "x-request-id")}
    kept.pop("content-length", None)
    return answer.status, kept, answer.body.replace(key.encode(), b"?")


CASES = [(key, path) for key, paths in ROUTES.items() for path in (*paths, *EVERYWHERE)]


@pytest.mark.parametrize(("key", "path"), CASES, ids=[f"{key} {path}" for key, path in CASES])
def test_what_is_private_is_as_what_is_not_there(scene: Scene, key: str, path: str) -> None:
    """By GET, HEAD, ranges, validators, and every method that changes; nobody's upstream hears of it."""
    asked = len(scene.upstream.asked)
    more: list[tuple[str, dict[str, str]]] = [
        ("GET", {}),
        ("HEAD", {}),
        ("GET", {"range": "bytes=0-0"}),
        ("GET", {"if_none_match": f'"{hashlib.sha1(DATA).hexdigest()}"'}),
        ("GET", {"if_none_match": "*", "accept": "application/vnd.pypi.simple.v1+json"}),
        *((method, {"content_length": "0"}) for method in ("PUT", "POST", "PATCH", "DELETE")),
    ]
    for who in ("nobody", "bob"):
        for method, given in more:
            headers = given | scene.shown[who]
            there = ask(scene.regproxy, method, path.format(r=key), None, **headers)
            absent = ask(scene.regproxy, method, path.format(r="absent"), None, **headers)
            assert seen(absent, "absent") == seen(there, key), (who, method, headers)
            # 403 is for administrators alone, whatever there is: it says nothing of this.
            assert there.status in (400, 401, 403, 404, 405), (who, method)
            assert ("www-authenticate" in there.headers) is (there.status == 401) is (there.status == 401 and who == "nobody")
    assert len(scene.upstream.asked) == asked


@pytest.mark.parametrize("who", ["ann", "ann by token", "ann by password"])
def test_who_may_sees_it(scene: Scene, who: str) -> None:
    """The same addresses, with whatever credential."""
    for path in ("/secret/f", "/vault/f", "/vault-cache/f"):
        assert ask(scene.regproxy, "GET", path, **scene.shown[who]).body == DATA
    assert ask(scene.regproxy, "GET", "/api/storage/secret/f", **scene.shown[who]).json["size"] == str(len(DATA))
    assert ask(scene.regproxy, "GET", "/v2/image/", **scene.shown[who]).status == 200


def test_lists_show_what_one_may_see(scene: Scene) -> None:
    """Repositories, and what searches find."""
    sha256 = hashlib.sha256(DATA).hexdigest()
    searches = ("artifact?name=f", f"checksum?sha256={sha256}", "prop?kind=odd", "artifact?name=f&repos=secret,vault")
    for who, expected in (("nobody", 0), ("bob", 0), ("ann", 1)):
        listed = ask(scene.regproxy, "GET", "/api/repositories", **scene.shown[who]).json
        assert {each["key"] for each in listed} == {PUBLIC} | (set(PRIVATE) if expected else set())
        for search in searches:
            found = ask(scene.regproxy, "GET", f"/api/search/{search}", **scene.shown[who]).json["results"]
            assert bool(found) is bool(expected), (who, search)


@pytest.mark.parametrize("path", ["/metrics", "/artifactory/api/v1/metrics"])
def test_numbers_show_what_one_may_see(scene: Scene, path: str) -> None:
    """Those of the server are everybody's, those of a repository of those for whom it is there."""
    both = {"secret", "vault"}
    for key in both:
        assert ask(scene.regproxy, "GET", f"/{key}/f", **scene.shown["ann"]).status == 200
    for who, expected in (("nobody", set()), ("bob", set()), ("bob's scraper", set()), ("ann", both), ("scraper", both)):
        page = ask(scene.regproxy, "GET", path, **scene.shown[who]).body.decode()
        assert "\nregproxy_store_bytes " in page
        assert expected == both & set(re.findall('repository="([^"]+)"', page)), who
        assert page.endswith("# EOF\n")
    assert ask(scene.regproxy, "GET", path, authorization=basic("bob", "wrong")).status == 401
    for private, status in (("/secret/f", 404), ("/api/security/users", 403)):
        assert ask(scene.regproxy, "GET", private, **scene.shown["scraper"]).status == status


def test_a_digest_is_no_key(scene: Scene) -> None:
    """Who may deploy elsewhere cannot have private bytes linked there; who may read them can."""
    headers = {"x_checksum_deploy": "true", "x_checksum_sha256": hashlib.sha256(DATA).hexdigest()}
    assert ask(scene.regproxy, "PUT", f"/{PUBLIC}/stolen", **headers, **scene.shown["bob"]).status == 404
    assert ask(scene.regproxy, "GET", f"/{PUBLIC}/stolen").status == 404


def test_followers_of_a_fill(scene: Scene) -> None:
    """While ann's fill runs, others who ask for the same path are as if it were not there."""
    gate = scene.upstream.gates["/slow", 64 << 10] = threading.Event()
    got: list[bytes] = []
    reading = threading.Thread(target=lambda: got.append(ask(scene.regproxy, "GET", "/vault/slow", **scene.shown["ann"]).body))
    reading.start()
    try:
        deadline = time.monotonic() + 30
        while ("/slow", "") not in scene.upstream.asked:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for path in ("/vault/slow", "/vault-cache/slow", "/api/storage/vault/slow"):
            assert ask(scene.regproxy, "GET", path).status == 401
            assert ask(scene.regproxy, "GET", path, **scene.shown["bob"]).status == 404
            assert ask(scene.regproxy, "HEAD", path, **scene.shown["bob"]).status == 404
    finally:
        gate.set()
        reading.join()
    assert [DATA] == got


def test_credentials_that_are_no_good(scene: Scene) -> None:
    """401, also where nobody needs any: the client is to hear of it; probes ask nobody."""
    for headers in ({"authorization": basic("bob", "wrong")}, {"authorization": basic("eve")}, {"x_jfrog_art_api": "x"}):
        assert ask(scene.regproxy, "GET", f"/{PUBLIC}/", **headers).status == 401
        assert ask(scene.regproxy, "GET", "/livez", **headers).status == 200
    refused = ask(scene.regproxy, "GET", "/v2/", authorization=basic("eve"))
    assert (401, True) == (refused.status, refused.headers["www-authenticate"].startswith("Bearer realm="))
    assert json.loads(refused.body)["errors"][0]["code"] == "UNAUTHORIZED"


def test_a_foreign_token_is_none(scene: Scene) -> None:
    """A client of a hub shows its hub's token to everybody."""
    assert ask(scene.regproxy, "GET", f"/{PUBLIC}/", authorization="Bearer hf_abc").status == 200
    assert ask(scene.regproxy, "GET", "/secret/f", authorization="Bearer hf_abc").status == 401


def test_registry_login(scene: Scene) -> None:
    """The token server gives a session for credentials, and one of nobody for none."""
    challenge = ask(scene.regproxy, "GET", "/v2/")
    assert (401, True) == (challenge.status, "/v2/token" in challenge.headers["www-authenticate"])
    wrong = ask(scene.regproxy, "GET", "/v2/token", authorization=basic("ann", "wrong"))
    assert (401, 'Basic realm="regproxy"') == (wrong.status, wrong.headers["www-authenticate"])
    for who, status in (("ann", 200), ("bob", 404), ("nobody", 401)):
        token = ask(scene.regproxy, "GET", "/v2/token?service=regproxy", **scene.shown[who]).json["token"]
        session = {"authorization": f"Bearer {token}"}
        assert ask(scene.regproxy, "GET", "/v2/", **session).status == 200
        assert ask(scene.regproxy, "GET", "/image/v2/", **session).status == status


def test_reading_what_is_cached_and_no_more(twist_regproxy: Start) -> None:
    """Who may read a remote sees what it holds, however old; what it does not hold is fetched for those who may write."""
    with origin({"/f": DATA, "/g": DATA, "/in/h": DATA}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url, "retrievalCachePeriodSecs = 0"))
        assert ask(regproxy, "GET", "/files/f").status == 200
        populate(
            regproxy,
            Target(name=OPEN[1].name),
            User(name="ann", password=HASH),
            Target(name="t", repositories=("files",), includes=("in/**",), users={"ann": (Action.READ, Action.WRITE)}),
        )
        ann = {"authorization": basic("ann")}
        asked = len(upstream.asked)
        assert ask(regproxy, "GET", "/files/f").body == DATA
        assert ask(regproxy, "GET", "/files/g").status == 404
        assert ask(regproxy, "GET", "/files/g", **ann).status == 403
        assert len(upstream.asked) == asked
        assert ask(regproxy, "GET", "/files/in/h", **ann).body == DATA
        wait_until(lambda: ask(regproxy, "GET", "/files/in/h").body == DATA)  # when its row is there


def test_paths(twist_regproxy: Start) -> None:
    """Patterns hold for files, for what folders show, and for what is done to a folder with all that is in it."""
    regproxy = twist_regproxy('[access]\nanonymousWrite = "anywhere"\n' + local())
    for path in ("a/1", "a/hidden/2", "b/3"):
        ask(regproxy, "PUT", f"/files/{path}", DATA)
    target = Target(name="t", repositories=("files",), includes=("a/**",), excludes=("a/hidden/**",), users={"ann": ALL})
    populate(regproxy, Target(name=OPEN[0].name), User(name="ann", password=HASH), target)
    ann = {"authorization": basic("ann")}
    statuses = [ask(regproxy, "GET", f"/files/{path}", **ann).status for path in ("a/1", "a/hidden/2", "b/3", "b/none", "a/none")]
    assert [200, 403, 403, 403, 404] == statuses
    assert b"hidden" not in ask(regproxy, "GET", "/files/a/", **ann).body
    assert ["/1"] == [each["uri"] for each in ask(regproxy, "GET", "/api/storage/files/a", **ann).json["children"]]
    listed = ask(regproxy, "GET", "/api/storage/files/a?list&deep=1&listFolders=1", **ann).json["files"]
    assert ["/1"] == [each["uri"] for each in listed]
    found = ask(regproxy, "GET", "/api/search/artifact?name=*", **ann).json["results"]
    assert ["/a/1"] == [each["uri"].partition("/files")[2] for each in found]
    assert ask(regproxy, "DELETE", "/files/a", **ann).status == 403
    assert ask(regproxy, "PUT", "/api/storage/files/a?properties=x=y", **ann).status == 403
    assert ask(regproxy, "DELETE", "/files/a/1", **ann).status == 204
    assert ask(regproxy, "PUT", "/files/b/new", DATA, **ann).status == 403


def test_nobody_without_a_name(twist_regproxy: Start) -> None:
    """With anonymous shut out everything asks for a name but probes; the administrator's password lies where the server says."""
    regproxy = twist_regproxy("[access]\nanonymous = false\n" + local())
    for path in ("/files/x", "/none/x", "/api/storage/files/x", "/v2/", "/v2/token", "/api/repositories/files"):
        assert ask(regproxy, "GET", path).status == 401, path
    assert (200, []) == ((answer := ask(regproxy, "GET", "/api/repositories")).status, answer.json)
    file = regproxy.data_dir / "admin.password"
    assert str(file) in regproxy.log
    admin = {"authorization": basic("admin", file.read_text().strip())}
    assert ask(regproxy, "PUT", "/files/x", DATA, **admin).status == 201
    assert ask(regproxy, "GET", "/api/storage/files/x", **admin).json["createdBy"] == "admin"
    assert ask(regproxy, "GET", "/files/x", authorization="Bearer hf_abc").status == 401
