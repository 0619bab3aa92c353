"""What a real server says of itself and of what it holds; what a remote has cached can be removed."""

from collections.abc import Iterator
from functools import partial
from xml.etree.ElementTree import fromstring

import pytest

from tests.fakes.deploying import ask, local
from tests.fakes.files import Files, remote, serving
from tests.fakes.process import Regproxy
from tests.wire.test_life import wait_until
from tests.wire.test_people import Asker
from tests.wire.test_repositories import administrator

SECRET = "5ecret"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Files]:
    """Three files."""
    with serving({"/x/1": b"one", "/x/y/2": b"two", "/3": b"three"}) as files:
        yield files


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory, upstream: Files) -> Iterator[Asker]:
    """The administrator of a server with a local repository and a remote."""
    up = remote(upstream.url, f'password = "{SECRET}"').replace('key = "files"', 'key = "up"')
    regproxy = Regproxy(tmp_path_factory.mktemp("system"), local() + up)
    regproxy.start()
    yield administrator(regproxy)
    regproxy.close()


def is_there(admin: Asker, path: str) -> bool:
    """Whether it is cached."""
    return admin("GET", f"/api/storage/up/{path}").status == 200


def fetch(admin: Asker, *paths: str) -> None:
    """Have something cached."""
    for path in paths:
        assert 200 == ask(admin.regproxy, "GET", f"/up/{path}").status
        wait_until(partial(is_there, admin, path))


def test_how_much_there_is(admin: Asker) -> None:
    """By repositories, and in all."""
    for path in ("a", "b/c"):
        assert 201 == admin("PUT", f"/files/{path}", b"x" * 2048).status
    fetch(admin, "x/1")
    info = admin("GET", "/api/storageinfo").json
    rows = {row["repoKey"]: row for row in info["repositoriesSummaryList"]}
    assert ["files", "up-cache", "TOTAL"] == list(rows)
    assert ("LOCAL", 2, 1, 3, "4.00 KB", 4096, "generic") == tuple(
        rows["files"][name]
        for name in ("repoType", "filesCount", "foldersCount", "itemsCount", "usedSpace", "usedSpaceInBytes", "packageType")
    )
    assert ("CACHE", 1, "3 bytes") == tuple(rows["up-cache"][name] for name in ("repoType", "filesCount", "usedSpace"))
    assert (3, 4099) == (rows["TOTAL"]["filesCount"], rows["TOTAL"]["usedSpaceInBytes"])
    summary = info["binariesSummary"]
    assert ("2", "3", "2.00 KB") == (summary["binariesCount"], summary["artifactsCount"], summary["binariesSize"])
    assert info["fileStoreSummary"]["totalSpace"].endswith("B")
    assert 202 == admin("POST", "/api/storageinfo/calculate").status


def test_how_it_is_set_up(admin: Asker) -> None:
    """As XML, without secrets."""
    answer = admin("GET", "/api/system/configuration")
    assert ("application/xml", False) == (answer.headers["content-type"], SECRET.encode() in answer.body)
    root = fromstring(answer.body)
    assert ["files"] == [each.findtext("key") for each in root.findall("localRepositories/localRepository")]
    assert ["generic"] == [each.findtext("packageType") for each in root.findall("remoteRepositories/remoteRepository")]
    assert b"regproxy" in admin("GET", "/api/system").body


def test_for_administrators(admin: Asker) -> None:
    """Nobody else hears of it; everybody may ask whether the server is there."""
    asked = (("GET", "system"), ("GET", "system/configuration"), ("GET", "storageinfo"), ("POST", "storageinfo/calculate"))
    assert {401} == {admin.by("")(method, f"/api/{path}").status for method, path in asked}
    for path in ("system/ping", "system/version"):
        assert 200 == admin.by("")("GET", f"/api/{path}").status


def test_removed_from_the_cache(admin: Asker, upstream: Files) -> None:
    """By the companion's name only, a file or a folder; it is fetched again when somebody asks."""
    fetch(admin, "x/1", "x/y/2", "3")
    assert 405 == admin("DELETE", "/up/3").status
    assert 204 == admin("DELETE", "/up-cache/3").status
    assert (404, 404) == (admin("GET", "/up-cache/3").status, admin("DELETE", "/up-cache/3").status)
    assert 204 == admin("DELETE", "/up-cache/x").status
    assert [] == admin("GET", "/api/storage/up?list&deep=1").json["files"]
    assert 404 == admin("DELETE", "/up-cache/x/").status
    asked = upstream.asked["GET", "/x/1"]
    fetch(admin, "x/1")
    assert asked + 1 == upstream.asked["GET", "/x/1"]
    ann = admin.make("ann")
    assert 403 == ann("DELETE", "/up-cache/x/1").status
    assert 200 == admin("DELETE", "/api/security/users/ann").status
