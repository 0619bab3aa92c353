"""``/api/storage`` and ``/api/search`` of a real process."""

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from tests.fakes.deploying import ask, local, sums
from tests.fakes.files import remote, serving
from tests.fakes.process import Regproxy
from tests.wire.test_life import wait_until

Start = Callable[..., Regproxy]


@pytest.fixture
def files(twist_regproxy: Start) -> Regproxy:
    """A server with a few files: ``a/1.txt``, ``a/b/2.txt``, ``c``."""
    started = twist_regproxy(local())
    for path in ("a/1.txt;k=v;k=w;n=1", "a/b/2.txt", "c"):
        assert ask(started, "PUT", f"/files/{path}", path.encode()).status == 201
    return started


def get(regproxy: Regproxy, path: str) -> Any:
    """JSON from below ``/artifactory/api``."""
    answer = ask(regproxy, "GET", f"/artifactory/api/{path}")
    assert answer.status == 200, answer.body
    return answer.json


def status(regproxy: Regproxy, method: str, path: str, body: bytes | None = None) -> int:
    """Of a request to what is below ``/api``."""
    return ask(regproxy, method, f"/api/{path}", body).status


def properties(regproxy: Regproxy, path: str) -> Any:
    """Of a file or folder."""
    answer = ask(regproxy, "GET", f"/api/storage/files/{path}?properties")
    return answer.json["properties"] if answer.status == 200 else answer.error


def test_files_and_folders(files: Regproxy) -> None:
    """What is known of them; a size is a string, a folder has children."""
    info = get(files, "storage/files/a/1.txt")
    base = f"{files.base_url}/artifactory"
    assert ("/a/1.txt", "files", "19", "text/plain") == tuple(info[key] for key in ("path", "repo", "size", "mimeType"))
    assert sums(b"a/1.txt;k=v;k=w;n=1") == info["checksums"]
    assert [f"{base}/files/a/1.txt", f"{base}/api/storage/files/a/1.txt"] == [info["downloadUri"], info["uri"]]
    assert (info["created"], "Z") == (info["lastModified"], info["created"][-1])
    for path in ("storage/files/a", "storage/files/a/"):
        folder = get(files, path)
        assert [{"uri": "/1.txt", "folder": False}, {"uri": "/b", "folder": True}] == folder["children"]
        assert ("/a", "anonymous", f"{base}/api/storage/files/a") == tuple(folder[key] for key in ("path", "createdBy", "uri"))
    for path in ("storage/files", "storage/files/"):
        assert [("/a", True), ("/c", False)] == [(each["uri"], each["folder"]) for each in get(files, path)["children"]]
    for path in ("storage/files/none", "storage/none/a"):
        answer = ask(files, "GET", f"/api/{path}")
        assert (404, True) == (answer.status, "Unable to find item" in answer.error)


def test_lists(files: Regproxy) -> None:
    """Of files, at any depth, and of folders if that is asked."""

    def uris(query: str) -> list[str]:
        return [each["uri"] for each in get(files, f"storage/files?list&{query}")["files"]]

    assert ["/c"] == uris("")
    assert ["/a/1.txt", "/a/b/2.txt", "/c"] == uris("deep=1")
    assert ["/a/1.txt", "/c"] == uris("deep=1&depth=2")
    assert ["/a", "/c"] == uris("listFolders=1")
    assert ["/", "/a", "/a/1.txt", "/a/b", "/a/b/2.txt", "/c"] == uris("deep=1&listFolders=1&includeRootPath=1")
    entry = get(files, "storage/files/a?list&deep=1")["files"][0]
    assert ("/1.txt", 19, False) == (entry["uri"], entry["size"], entry["folder"])
    assert sums(b"a/1.txt;k=v;k=w;n=1")["sha256"] == entry["sha2"]
    assert [400, 400, 400] == [
        status(files, "GET", f"storage/files/{query}") for query in ("c?list", "?list&deep=x", "?list&deep=1&depth=-1")
    ]


def test_newest(files: Regproxy) -> None:
    """The file that was put last."""
    time.sleep(0.01)
    ask(files, "PUT", "/files/a/b/3", b"3")
    assert get(files, "storage/files?lastModified")["uri"].endswith("/api/storage/files/a/b/3")
    assert get(files, "storage/files/c?lastModified")["uri"].endswith("/c")
    ask(files, "PUT", "/files/empty/")
    assert status(files, "GET", "storage/files/empty?lastModified") == 404


def test_downloads(files: Regproxy) -> None:
    """Counted, with the time of the last one; a HEAD is none."""
    before = get(files, "storage/files/c?stats")
    assert {"downloadCount": 0, "lastDownloaded": 0, "remoteDownloadCount": 0}.items() <= before.items()
    for method in ("GET", "GET", "HEAD"):
        ask(files, method, "/files/c")
    wait_until(lambda: get(files, "storage/files/c?stats")["downloadCount"] == 2)
    stats = get(files, "storage/files/c?stats")
    assert abs(stats["lastDownloaded"] / 1000 - time.time()) < 60
    assert stats["lastDownloadedBy"] == "anonymous"


def test_properties(files: Regproxy) -> None:
    """From a deploy, set, replaced, removed; on a folder for all that is in it unless told otherwise."""
    assert {"k": ["v", "w"], "n": ["1"]} == properties(files, "a/1.txt")
    assert {"k": ["v", "w"]} == get(files, "storage/files/a/1.txt?properties=k,none")["properties"]
    assert "No properties could be found." == properties(files, "c")
    assert 204 == status(files, "PUT", f"storage/files/c?properties={quote('x=1,2;y=a b')}")
    assert 204 == status(files, "PUT", "storage/files/c?properties=x=3|z=%5C%2C%5C%3D%C3%BC;w=4&recursive=0")
    assert {"x": ["3"], "y": ["a b"], "z": [",=ü"], "w": ["4"]} == properties(files, "c")
    assert 204 == status(files, "DELETE", "storage/files/c?properties=x,y,nothing")
    assert {"z": [",=ü"], "w": ["4"]} == properties(files, "c")
    assert 204 == status(files, "PUT", "storage/files/a?properties=all=1")
    assert 204 == status(files, "PUT", "storage/files/a?properties=top=1&recursive=0")
    assert [{"all": ["1"]}, {"all": ["1"], "top": ["1"]}] == [properties(files, path) for path in ("a/b/2.txt", "a")]
    assert 204 == status(files, "DELETE", "storage/files/a?properties=all&recursive=1")
    assert ["No properties could be found.", {"k": ["v", "w"], "n": ["1"]}] == [properties(files, p) for p in ("a/b", "a/1.txt")]
    for method, path in (("PUT", "c"), ("PUT", "c?properties=x"), ("PUT", "c?properties=a*=1"), ("DELETE", "c?properties=")):
        assert 400 == status(files, method, f"storage/files/{path}")
    assert 404 == status(files, "PUT", "storage/files/none?properties=a=1")
    # They belong to the file, not to its name.
    ask(files, "PUT", "/files/a/1.txt", b"new")
    assert "No properties could be found." == properties(files, "a/1.txt")


def test_metadata(files: Regproxy) -> None:
    """Set and removed at once by JSON."""
    change = json.dumps({"props": {"k": None, "n": ["2", "3"], "new": "x"}}).encode()
    assert 204 == status(files, "PATCH", "metadata/files/a/1.txt", change)
    assert {"n": ["2", "3"], "new": ["x"]} == properties(files, "a/1.txt")
    assert 204 == status(files, "PATCH", "metadata/files/a?recursiveProperties=0", b'{"props": {"f": "1"}}')
    assert "No properties could be found." == properties(files, "a/b")
    for body in (b"", b"{}", b'{"props": 1}', b'{"props": {"a": 1}}', b'{"props": {"a b": "1"}}', b"[" * 100_000):
        assert 400 == status(files, "PATCH", "metadata/files/c", body)
    assert 413 == status(files, "PATCH", "metadata/files/c", b" " * (2 << 20))


def test_searches(twist_regproxy: Start) -> None:
    """By name, checksum and properties, in all repositories or in some."""
    with serving({"/far.txt": b"far"}) as upstream:
        regproxy = twist_regproxy(local("one") + local("two") + remote(upstream.url))
        for path in ("one/a/x.txt;k=v;n=1", "two/b/x.txt;k=v", "two/b/y.bin;k=w"):
            ask(regproxy, "PUT", f"/{path}", b"same")
        ask(regproxy, "GET", "/files/far.txt")
        wait_until(lambda: ask(regproxy, "GET", "/files-cache/far.txt").status == 200)

        def found(query: str) -> list[str]:
            uris = [each["uri"] for each in get(regproxy, f"search/{query}")["results"]]
            return sorted(uri.partition("/api/storage/")[2] for uri in uris)

        assert ["one/a/x.txt", "two/b/x.txt"] == found("artifact?name=x.txt")
        assert ["files/far.txt", "one/a/x.txt", "two/b/x.txt"] == found("artifact?name=*.txt")
        assert ["two/b/y.bin"] == found("artifact?name=%3F.bin&repos=two,files")
        for algorithm, value in sums(b"same").items():
            assert ["one/a/x.txt", "two/b/x.txt", "two/b/y.bin"] == found(f"checksum?{algorithm}={value}")
        assert ["one/a/x.txt"] == found(f"checksum?sha1={sums(b'same')['sha1']}&repos=one")
        assert ["files/far.txt"] == found(f"checksum?sha256={sums(b'far')['sha256']}")
        assert [] == found(f"checksum?sha256={sums(b'other')['sha256']}")
        assert ["one/a/x.txt", "two/b/x.txt"] == found("prop?k=v")
        assert ["one/a/x.txt"] == found("prop?k=v&n=*")
        assert ["two/b/y.bin"] == found("prop?k=w&repos=two")
        wrong = ask(regproxy, "PUT", "/one/a/wrong.txt", b"same", x_checksum_sha1="0" * 40)
        assert (409, []) == (wrong.status, found("badChecksum?type=sha1&repos=one"))
        for query in (
            "badChecksum",
            "badChecksum?type=crc",
            "artifact",
            "artifact?name=a/b",
            "checksum",
            "checksum?sha1=x",
            "prop?repos=one",
        ):
            assert 400 == status(regproxy, "GET", f"search/{query}")


def test_what_a_remote_has_cached(twist_regproxy: Start) -> None:
    """Is shown as files and folders too, under both names, and may have properties."""
    with serving({"/d/f.txt": b"far"}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        ask(regproxy, "GET", "/files/d/f.txt")
        wait_until(lambda: ask(regproxy, "GET", "/files-cache/d/f.txt").status == 200)
        for key in ("files", "files-cache"):
            info = get(regproxy, f"storage/{key}/d/f.txt")
            assert (key, "/d/f.txt", f"{upstream.url}/d/f.txt") == (info["repo"], info["path"], info["remoteUrl"])
            assert [{"uri": "/f.txt", "folder": False}] == get(regproxy, f"storage/{key}/d")["children"]
        assert 204 == status(regproxy, "PUT", "storage/files-cache/d/f.txt?properties=k=v")
        assert {"k": ["v"]} == get(regproxy, "storage/files-cache/d/f.txt?properties")["properties"]


def test_writing_needs_to_be_allowed(twist_regproxy: Start) -> None:
    """Properties are said by those who may write."""
    closed = twist_regproxy('[access]\nanonymousWrite = "never"\n' + local())
    assert 401 == status(closed, "PUT", "storage/files?properties=a=1")
    assert 401 == status(closed, "DELETE", "storage/files?properties=a")
    assert 401 == status(closed, "PATCH", "metadata/files", b"{}")
    assert 200 == status(closed, "GET", "storage/files")


def test_repositories_are_shown(files: Regproxy) -> None:
    """Local ones among the others, and that large files come in one piece."""
    (entry,) = get(files, "repositories?type=local")
    assert ("files", "LOCAL", "generic") == (entry["key"], entry["type"], entry["packageType"])
    assert "local" == get(files, "repositories/files")["rclass"]
    assert {"supported": False} == get(files, "v1/uploads/config")
