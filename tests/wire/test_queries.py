"""Queries and searches of a real server: what is found, and what is nobody else's to find."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.fakes.deploying import ask, local, sums
from tests.fakes.files import remote, serving
from tests.fakes.process import Regproxy
from tests.wire.test_life import wait_until
from tests.wire.test_people import READ, Asker
from tests.wire.test_repositories import administrator

FILES = ("lib/core/1.0/core.jar;license=GPL;team=a;team=b", "lib/core/1.1/core.jar;license=MIT", "lib/readme.md", "top.bin")
NAMES = '.include("repo","path","name")'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Regproxy]:
    """Two local repositories, a remote that has fetched one file, and all of them as one."""
    with serving({"/x/cached.bin": b"cached"}) as upstream:
        up = remote(upstream.url).replace('key = "files"', 'key = "up"')
        every = local("all", 'repositories = ["files", "secret", "up"]', 'excludesPattern = "lib/core/1.0/**"')
        every = every.replace('rclass = "local"', 'rclass = "virtual"')
        regproxy = Regproxy(tmp_path_factory.mktemp("queries"), local() + local("secret") + every + up)
        regproxy.start()
        for path in FILES:
            assert 201 == ask(regproxy, "PUT", f"/files/{path}", path.encode()).status
        assert 201 == ask(regproxy, "PUT", "/secret/plan.bin", b"plan").status
        assert b"cached" == ask(regproxy, "GET", "/up/x/cached.bin").body
        wait_until(lambda: ask(regproxy, "GET", "/api/storage/up/x/cached.bin").status == 200)
        yield regproxy
        regproxy.close()


@pytest.fixture(scope="module")
def admin(server: Regproxy) -> Asker:
    """The administrator."""
    return administrator(server)


@pytest.fixture(scope="module")
def ann(admin: Asker) -> Asker:
    """Somebody who may read ``files`` but for one folder; nobody may read ``secret``."""
    ann = admin.make("ann")
    names = [each["name"] for each in admin("GET", "/api/v2/security/permissions").json]
    for name in names:
        assert 200 == admin("DELETE", f"/api/v2/security/permissions/{quote(name)}").status
    place = {"repositories": ["files", "all"], "exclude-patterns": ["lib/core/1.1/**"], "actions": {"users": {"ann": READ}}}
    assert 201 == admin("PUT", "/api/v2/security/permissions/mine", {"name": "mine", "repo": place}).status
    return ann


def query(who: Asker, text: str) -> Any:
    """The answer to one."""
    answer = who("POST", "/artifactory/api/search/aql", text.encode(), content_type="text/plain")
    assert answer.status == 200, answer.body
    return answer.json


def paths(who: Asker, text: str) -> list[str]:
    """What is found, in short."""
    return ["/".join((each["repo"], each["path"], each["name"])).replace("/./", "/") for each in query(who, text)["results"]]


def test_what_is_found(admin: Asker) -> None:
    """In local repositories, and in what remotes have cached."""
    jars = ["files/lib/core/1.0/core.jar", "files/lib/core/1.1/core.jar"]
    assert jars == paths(admin, 'items.find({"name":{"$match":"core*"}})')
    everywhere = ["files/top.bin", "secret/plan.bin", "up-cache/x/cached.bin"]
    assert everywhere == paths(admin, 'items.find({"name":{"$match":"*.bin"}})')
    assert ["up-cache/x/cached.bin"] == paths(admin, 'items.find({"repo":"up-cache"})')
    assert ["files/lib/core/1.0", "files/lib/core/1.1"] == paths(admin, 'items.find({"path":"lib/core","type":"folder"})')
    assert ["files/lib/core/1.0/core.jar"] == paths(admin, 'items.find({"@license":{"$match":"G*"}})')
    assert [] == paths(admin, 'items.find({"created":{"$before":"1d"}})')
    sha1 = sums(b"top.bin")["sha1"]
    (found,) = query(admin, f'items.find({{"actual_sha1":"{sha1}"}}).include("*","property","stat")')["results"]
    assert ("top.bin", 7, sha1, "anonymous") == tuple(found[name] for name in ("name", "size", "actual_sha1", "created_by"))
    (found,) = query(admin, 'items.find({"path":"lib/core/1.0"}).include("name","property.*")')["results"]
    assert [("license", "GPL"), ("team", "a"), ("team", "b")] == [(each["key"], each["value"]) for each in found["properties"]]


def test_pages(admin: Asker) -> None:
    """Of what is sorted."""
    text = f'items.find({{"repo":"files"}}){NAMES}.sort({{"$desc":["name"]}})'
    every = paths(admin, text)
    assert every[:2] == ["files/top.bin", "files/lib/readme.md"]
    assert every[1:3] == paths(admin, f"{text}.offset(1).limit(2)")
    assert {"start_pos": 1, "end_pos": 3, "total": 2, "limit": 2} == query(admin, f"{text}.offset(1).limit(2)")["range"]


def test_who_may_not_see_does_not_find(admin: Asker, ann: Asker) -> None:
    """Neither repositories nor paths; limits count what is seen, so that they tell nothing either."""
    assert ["files/lib/core/1.0/core.jar", "files/lib/readme.md", "files/top.bin"] == paths(ann, "items.find()")
    assert ["files/lib/readme.md"] == paths(ann, f'items.find(){NAMES}.sort({{"$asc":["repo","name"]}}).offset(1).limit(1)')
    assert [] == paths(ann, 'items.find({"repo":"secret"})')
    assert 400 == ann("POST", "/api/search/aql", b'items.find().include("name")', content_type="text/plain").status
    assert 401 == admin.by("")("POST", "/api/search/aql", b"items.find()").status
    for search in ("creation?from=0", "usage?notUsedSince=99999999999999", "dates?dateFields=created&from=0", "artifact?name=*"):
        found = [each["uri"] for each in ann("GET", f"/api/search/{search}").json["results"]]
        assert (3, []) == (len(found), [uri for uri in found if "secret" in uri or "1.1" in uri]), search
    assert ["lib/core/1.0/core.jar"] == ann("GET", "/api/search/pattern?pattern=files:**/*.jar").json["files"]
    assert 404 == ann("GET", "/api/search/pattern?pattern=secret:*").status
    assert [] == admin.by("")("GET", "/api/search/creation?from=0").json["results"]


def test_in_a_virtual_repository(admin: Asker, ann: Asker) -> None:
    """What its members have and is seen through it, under their keys; what is asked for beside it is found beside it."""
    held = ["files/lib/core/1.1/core.jar", "files/lib/readme.md", "files/top.bin", "secret/plan.bin", "up-cache/x/cached.bin"]
    for text in ('items.find({"repo":"all"})', 'items.find({"$or":[{"$and":[{"repo":{"$eq":"all"}}]}]}).transitive()'):
        assert held == paths(admin, text)
        assert ["files/lib/readme.md", "files/top.bin"] == paths(ann, text)
    (found,) = query(admin, 'items.find({"repo":"all","name":"top.bin"})')["results"]
    assert ("files", ["all"]) == (found["repo"], found["virtual_repos"])
    both = 'items.find({"name":"core.jar","$or":[{"repo":"all"},{"repo":"files"}]})'
    seen = {each["path"]: each["virtual_repos"] for each in query(admin, both)["results"]}
    assert {"lib/core/1.0": [], "lib/core/1.1": ["all"]} == seen


def test_details(admin: Asker) -> None:
    """What else is known of each result, if it is asked for."""
    for search in ("artifact?name=core.jar", f"checksum?sha256={sums(b'top.bin')['sha256']}", "prop?license=GPL"):
        plain = admin("GET", f"/api/search/{search}").json["results"]
        shown = admin("GET", f"/api/search/{search}", x_result_detail="info, Properties").json["results"]
        assert [{"uri"}] * len(plain) == [set(each) for each in plain]
        assert [each["uri"] for each in plain] == [each["uri"] for each in shown]
        for each in shown:
            known = admin("GET", "/api/" + each["uri"].partition("/api/")[2]).json
            properties = each.pop("properties")
            assert (known, "core/1.0" in each["path"]) == (each, properties.get("license") == ["GPL"])
        only = admin("GET", f"/api/search/{search}", x_result_detail="properties").json["results"]
        assert [{"uri", "properties"}] * len(plain) == [set(each) for each in only]


def test_refusals(admin: Asker) -> None:
    """Say where the query makes no sense; a large one is not read."""
    answer = admin("POST", "/api/search/aql", b"items.find({)", content_type="text/plain")
    assert (400, True) == (answer.status, "character" in answer.error)
    assert 400 == admin("POST", "/api/search/aql", b"\xff").status
    assert 413 == admin("POST", "/api/search/aql", b" " * (1 << 20)).status
    assert 400 == admin("GET", "/api/search/prop?" + "&".join(f"p{number}=1" for number in range(600))).status


def test_what_was_never_downloaded(admin: Asker) -> None:
    """Is nothing that was downloaded long ago: cleaners ask for either, and delete what they find."""
    fresh = '{"repo": "files", "name": "readme.md", "stat.downloads": {"$eq": null}}'
    assert 1 == len(paths(admin, f"items.find({fresh})"))
    for old in ('"stat.downloaded": {"$before": "1ms"}', '"stat.downloaded": {"$lte": "2999-01-01T00:00:00.000Z"}'):
        assert [] == paths(admin, f'items.find({{"repo": "files", {old}}})')
    assert admin("GET", "/api/search/dates?dateFields=lastDownloaded&from=0&repos=files").json["results"] == []
    unused = admin("GET", "/api/search/usage?notUsedSince=32472144000000&repos=files").json["results"]
    assert len(FILES) == len(unused)


def test_by_time(admin: Asker) -> None:
    """When it was made, changed, downloaded; milliseconds and ISO 8601 alike."""

    def names(search: str) -> list[str]:
        answer = admin("GET", f"/api/search/{search}")
        assert answer.status == 200, answer.body
        return sorted(each["uri"].rpartition("/")[2] for each in answer.json["results"])

    now = int(time.time() * 1000)
    around = f"from={now - 86400000}&to={now + 86400000}"
    assert ["core.jar", "core.jar", "readme.md", "top.bin"] == names(f"creation?{around}&repos=files")
    assert ["plan.bin"] == names("creation?from=2020-01-01T00:00:00Z&repos=secret")
    assert [] == names(f"creation?from={now + 86400000}")
    assert ["cached.bin"] == names("dates?dateFields=lastModified&from=0&repos=up")
    ask(admin.regproxy, "GET", "/files/top.bin", authorization=admin.authorization)
    wait_until(lambda: ["top.bin"] == names("dates?dateFields=lastDownloaded&from=1&repos=files"))
    assert "top.bin" not in names(f"usage?notUsedSince={now - 1000}&createdBefore={now + 86400000}&repos=files")
    for search in ("creation", "creation?from=x", "dates?from=0", "dates?dateFields=x&from=0", "usage", "pattern?pattern=x"):
        assert 400 == admin("GET", f"/api/search/{search}").status
