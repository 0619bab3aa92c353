"""The index on the wire: a real server in front of an index of our own."""

import http.client
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import frozen

from tests.fakes.index import JSON_TYPE, Index
from tests.fakes.index_files import Built, make_wheel
from tests.fakes.process import Regproxy
from tests.faults.invariants import fills
from tests.wire.test_life import wait_until


@frozen
class Reply:
    """What came back."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes


@frozen
class Scene:
    """An index with one wheel, and the server in front of it; shared by the tests of this module."""

    index: Index
    proxy: Regproxy
    wheel: Built

    @property
    def address(self) -> str:
        """Of the wheel, below the repository."""
        return f"packages/demo-pkg/1.0/{self.wheel.sha256}/{self.wheel.filename}"

    def ask(self, path: str, method: str = "GET", **headers: str) -> Reply:
        """One request, redirects not followed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=20)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, answer.reason, fields, answer.read())
        finally:
            connection.close()

    def page(self, path: str = "/api/pypi/pypi/simple/demo-pkg/") -> dict[str, Any]:
        """The project's page in JSON."""
        found: dict[str, Any] = json.loads(self.ask(path, accept=JSON_TYPE).body)
        return found


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Started once."""
    with Index(status={"status": "archived", "reason": "over"}) as index:
        wheel = index.add(make_wheel("Demo.Pkg", "1.0", padding=300_000), metadata=True)
        proxy = Regproxy(tmp_path_factory.mktemp("regproxy"), index.remote("pypi"))
        try:
            proxy.start()
            yield Scene(index, proxy, wheel)
        finally:
            proxy.close()


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/api/pypi/pypi", "pypi/simple/"),
        ("/api/pypi/pypi/", "simple/"),
        ("/api/pypi/pypi/simple", "simple/"),
        ("/artifactory/api/pypi/pypi/simple/Demo.Pkg", "demo-pkg/"),
        ("/pypi/simple/demo_pkg/", "../demo-pkg/"),
    ],
)
def test_moved(scene: Scene, path: str, location: str) -> None:
    """Relative to what was asked for: right below any prefix, behind any proxy."""
    reply = scene.ask(path)
    assert (reply.status, reply.headers["location"]) == (301, location)


@pytest.mark.parametrize("mount", ["/api/pypi/pypi", "/artifactory/api/pypi/pypi", "/pypi", "/artifactory/pypi"])
def test_every_address_of_the_repository(scene: Scene, mount: str) -> None:
    """Pages and files lie below each of them, and links lead on from there."""
    page = scene.page(f"{mount}/simple/demo-pkg/")
    assert page["files"][0]["url"] == f"../../{scene.address}"
    assert page["project-status"] == {"status": "archived", "reason": "over"}
    assert scene.ask(f"{mount}/{scene.address}").body == scene.wheel.data
    assert scene.ask(f"{mount}/{scene.address}.metadata").body == scene.wheel.metadata
    assert scene.ask(f"{mount}/demo-pkg/1.0/{scene.wheel.filename}").body == scene.wheel.data


def test_head_and_get_agree(scene: Scene) -> None:
    """For pages and for files."""
    for path in (f"/api/pypi/pypi/{scene.address}", "/api/pypi/pypi/simple/demo-pkg/"):
        get, head = (scene.ask(path, method) for method in ("GET", "HEAD"))
        passing = ("date", "x-request-id", "x-regproxy-cache", "age")
        known, said = ({key: value for key, value in each.headers.items() if key not in passing} for each in (get, head))
        assert (known, head.body) == (said, b"")
        assert int(get.headers["content-length"]) == len(get.body)


def test_pages_are_revalidated_by_clients(scene: Scene) -> None:
    """Each form has its tag; a page is never believed for a while."""
    path = "/api/pypi/pypi/simple/demo-pkg/"
    page = scene.ask(path, accept=JSON_TYPE)
    assert (page.headers["content-type"], page.headers["cache-control"], page.headers["vary"]) == (
        JSON_TYPE,
        "no-cache",
        "Accept",
    )
    assert scene.ask(path, accept=JSON_TYPE, if_none_match=page.headers["etag"]).status == 304
    assert scene.ask(path, accept="text/html", if_none_match=page.headers["etag"]).status == 200
    assert not [name for name in page.headers if name == "x-regproxy-url"]


def test_files_are_for_ever(scene: Scene) -> None:
    """With the digest as their tag, ranges and conditions."""
    path = f"/api/pypi/pypi/{scene.address}"
    whole = scene.ask(path)
    assert whole.headers["etag"] == f'"sha256:{scene.wheel.sha256}"'
    assert "immutable" in whole.headers["cache-control"]
    assert scene.ask(path, if_none_match=whole.headers["etag"]).status == 304
    part = scene.ask(path, range="bytes=-100")
    assert (part.status, part.body) == (206, scene.wheel.data[-100:])


def test_no_address_leads_anywhere_else(scene: Scene) -> None:
    """What the index does not name is not asked for at the host of the files."""
    asked = len(scene.index.seen)
    other = "0" * 64
    for path in (
        f"packages/demo-pkg/1.0/{other}/{scene.wheel.filename}",
        f"packages/demo-pkg/2.0/{other}/demo_pkg-2.0-py3-none-any.whl",
        "packages/demo-pkg/-/-/127.0.0.1:80%2Fx.zip",
        f"packages/demo-pkg/1.0/{scene.wheel.sha256}/{scene.wheel.filename}.provenance",
    ):
        assert scene.ask(f"/api/pypi/pypi/{path}").status == 404
    assert [each for each in scene.index.seen[asked:] if each.at_files] == []


def test_uploads_are_refused(scene: Scene) -> None:
    """A remote is read only, and says so in the line that clients print."""
    reply = scene.ask("/api/pypi/pypi/", "POST")
    assert (reply.status, reply.reason) == (405, "pypi is a remote repository: nothing can be uploaded to it")
    assert reply.headers["allow"] == "GET, HEAD"


def test_refusals(scene: Scene) -> None:
    """Text for people, JSON for those who like it better, the reason in the status line for pip and uv."""
    text, as_json = (scene.ask("/api/pypi/pypi/simple/absent/", accept=accept) for accept in ("*/*", JSON_TYPE))
    assert text.status == as_json.status == 404
    assert text.reason == text.body.decode().strip() == json.loads(as_json.body)["errors"][0]["message"]
    assert "does not have it" in text.reason


def test_the_json_api(scene: Scene) -> None:
    """Its addresses are absolute, with the prefix that the client used."""
    reply = scene.ask("/artifactory/api/pypi/pypi/pypi/Demo.Pkg/json", host="proxy.example:81")
    (file,) = json.loads(reply.body)["urls"]
    assert file["url"] == f"http://proxy.example:81/artifactory/api/pypi/pypi/{scene.address}"


def test_the_list_of_projects(scene: Scene) -> None:
    """In both forms."""
    assert json.loads(scene.ask("/api/pypi/pypi/simple/", accept=JSON_TYPE).body)["projects"] == [{"name": "Demo.Pkg"}]
    assert b'<a href="demo-pkg/">Demo.Pkg</a>' in scene.ask("/api/pypi/pypi/simple/").body


def test_what_is_held_can_be_looked_at(scene: Scene) -> None:
    """The companion shows it and asks nobody; a document's node is what upstream sent."""
    scene.page()
    scene.ask(f"/api/pypi/pypi/{scene.address}")
    asked = len(scene.index.seen)
    assert scene.page("/api/pypi/pypi-cache/simple/demo-pkg/")["name"] == "Demo.Pkg"
    assert scene.ask(f"/pypi-cache/demo-pkg/1.0/{scene.wheel.filename}").body == scene.wheel.data
    assert scene.ask("/api/pypi/pypi-cache/simple/absent/").status == 404
    stored = scene.ask("/pypi/.pypi/demo-pkg.json")
    assert json.loads(stored.body) == scene.index.page("demo-pkg")
    assert "x-regproxy-url" not in stored.headers
    assert len(scene.index.seen) == asked


def test_outages(twist_regproxy: Callable[..., Regproxy]) -> None:
    """An index that is down is no reason to say that a file does not exist; what is held is served."""
    with Index() as index:
        held, other = index.add(make_wheel("held", "1.0")), index.add(make_wheel("other", "1.0"))
        scene = Scene(index, twist_regproxy(index.remote("pypi", "retrievalCachePeriodSecs = 0")), held)
        path = f"/api/pypi/pypi/packages/held/1.0/{held.sha256}/{held.filename}"
        assert scene.ask(path).body == held.data
        index.stop()
        stale = scene.ask("/api/pypi/pypi/simple/held/")
        assert (stale.status, stale.headers["x-regproxy-cache"]) == (200, "stale")
        assert scene.ask(path).body == held.data
        for lost in ("simple/other/", f"packages/other/1.0/{other.sha256}/{other.filename}", "simple/", "pypi/other/json"):
            assert scene.ask(f"/api/pypi/pypi/{lost}").status == 503


def test_a_file_that_upstream_replaces(twist_regproxy: Callable[..., Regproxy]) -> None:
    """The page leads to the new bytes, although the old ones are held; the address of the old ones leads to nothing."""
    with Index() as index:
        old = index.add(make_wheel("demo", "1.0"))
        scene = Scene(index, twist_regproxy(index.remote("pypi", "retrievalCachePeriodSecs = 0")), old)
        addresses = []
        for built in (old, make_wheel("demo", "1.0", padding=10)):
            index.remove(old)
            index.add(built)
            addresses.append(scene.page("/api/pypi/pypi/simple/demo/")["files"][0]["url"].removeprefix("../../"))
            assert scene.ask(f"/api/pypi/pypi/{addresses[-1]}").body == built.data
        assert scene.ask(f"/api/pypi/pypi/{addresses[0]}").status == 404


def test_a_file_that_is_lost(twist_regproxy: Callable[..., Regproxy]) -> None:
    """Held by name, but its bytes are gone or cut, and not remembered: it is fetched again from where the index says."""
    with Index() as index:
        wheel = index.add(make_wheel("demo", "1.0", padding=100_000))
        scene = Scene(index, twist_regproxy(index.remote("pypi")), wheel)
        path = f"/api/pypi/pypi/packages/demo/1.0/{wheel.sha256}/{wheel.filename}"
        assert scene.ask(path).body == wheel.data
        stored = scene.proxy.data_dir / "store" / "blobs" / "sha256" / wheel.sha256[:2] / wheel.sha256
        for damage in (stored.unlink, lambda: os.truncate(stored, 10)):
            # The client may have all of it before it has its name and its row.
            wait_until(lambda: stored.exists() and not fills(scene.proxy))
            stored.chmod(0o600)
            damage()
            assert scene.ask(path).body == wheel.data
        assert len(index.asked(wheel.filename)) == 3
