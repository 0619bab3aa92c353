"""Folders of a real server as archives: what is in them, who gets them, how much there may be, and what a client is told."""

import gzip
import io
import socket
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from http.client import IncompleteRead
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.fakes.deploying import Answer, ask, local, sums
from tests.fakes.files import remote, serving
from tests.fakes.people import basic
from tests.fakes.process import Regproxy
from tests.wire.test_life import wait_until
from tests.wire.test_people import READ, Asker
from tests.wire.test_repositories import administrator, empty

LARGE = bytes(range(256)) * 4000
TREE = {"a.txt": b"text", "sub/b ä.bin": LARGE, "sub/deep/empty": b"", "secret/key": b"secret"}
VIRTUAL = '\n[[repository]]\nkey = "all"\nrclass = "virtual"\npackageType = "generic"\nrepositories = ["files", "up"]\n'
LIMITS = '[archives]\natOnce = 2\nmaxFiles = 20\nmaxBytes = "40MB"\n'
PERMISSIONS = "/api/v2/security/permissions"
AT = "/artifactory/api/archive/download"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Regproxy]:
    """A local repository, a remote that has fetched one file, and both as one."""
    with serving({"/x/cached.bin": b"cached", "/x/other.bin": b"other"}) as upstream:
        up = remote(upstream.url).replace('key = "files"', 'key = "up"')
        regproxy = Regproxy(tmp_path_factory.mktemp("archives"), LIMITS + local() + local("other") + up + VIRTUAL)
        regproxy.start()
        assert b"cached" == ask(regproxy, "GET", "/up/x/cached.bin").body
        wait_until(lambda: ask(regproxy, "GET", "/api/storage/up/x/cached.bin").status == 200)
        yield regproxy
        regproxy.close()


@pytest.fixture
def admin(server: Regproxy) -> Iterator[Asker]:
    """The administrator, with a tree in ``files``."""
    admin = administrator(server)
    for path, data in TREE.items():
        assert 201 == admin("PUT", f"/files/top/{path.replace(' ', '%20').replace('ä', '%C3%A4')}", data).status
    yield admin
    empty(admin, "files", "other")


def unzipped(answer: Answer) -> dict[str, bytes]:
    """What is in a zip."""
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def untarred(data: bytes) -> dict[str, bytes]:
    """What is in a tar."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        found = {member.name: archive.extractfile(member) for member in archive.getmembers()}
        return {name: file.read() for name, file in found.items() if file is not None}


def test_every_type(admin: Asker) -> None:
    """Has the same files; the headers say what it is and what it is called."""
    for kind, media_type in (
        ("zip", "application/zip"),
        ("tar", "application/x-tar"),
        ("tar.gz", "application/gzip"),
        ("tgz", "application/gzip"),
    ):
        answer = admin("GET", f"{AT}/files/top?archiveType={kind}")
        assert (200, media_type) == (answer.status, answer.headers["content-type"])
        assert f"filename=\"top.{kind}\"; filename*=UTF-8''top.{kind}" in answer.headers["content-disposition"]
        plain = gzip.decompress(answer.body) if "gz" in kind else answer.body
        assert TREE == (unzipped(answer) if kind == "zip" else untarred(plain))
        head = admin("HEAD", f"{AT}/files/top?archiveType={kind}")
        assert (200, media_type, b"") == (head.status, head.headers["content-type"], head.body)


def test_other_programs(admin: Asker, tmp_path: Path) -> None:
    """``unzip`` and ``tar`` find nothing wrong, and the dates are those of the files."""
    (tmp_path / "a.zip").write_bytes(admin("GET", f"{AT}/files/top?archiveType=zip").body)
    (tmp_path / "a.tgz").write_bytes(admin("GET", f"{AT}/files/top?archiveType=tgz").body)
    for command in (["unzip", "-tq", "a.zip"], ["tar", "-xzf", "a.tgz"]):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert LARGE == (tmp_path / "sub" / "b ä.bin").read_bytes()
    modified = admin("GET", "/api/storage/files/top/a.txt").json["lastModified"]
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        year, month, day = archive.getinfo("a.txt").date_time[:3]
    assert modified.startswith(f"{year}-{month:02}-{day:02}")


def test_sums_and_statistics(admin: Asker) -> None:
    """Each file with its checksums, if they are wished for; each counts as downloaded."""
    files = {"one": b"1", "sub/two": LARGE}
    for path, data in files.items():
        assert 201 == admin("PUT", f"/files/counted/{path}", data).status
    found = unzipped(admin("GET", f"{AT}/files/counted/?archiveType=zip&includeChecksumFiles=true"))
    right = {f"{name}.{kind}": text.encode() for name, data in files.items() for kind, text in sums(data).items()}
    assert {**files, **right} == found
    stats = "/api/storage/files/counted/sub/two?stats"
    wait_until(lambda: admin("GET", stats).json["downloadCount"] == 1)
    assert "admin" == admin("GET", stats).json["lastDownloadedBy"]


def test_remote_and_virtual(admin: Asker) -> None:
    """What is held, by either name, and what the members hold; no upstream is asked. All of a repository goes as well."""
    for key in ("up", "up-cache"):
        assert {"cached.bin": b"cached"} == unzipped(admin("GET", f"{AT}/{key}/x?archiveType=zip"))
    assert 201 == admin("PUT", "/files/x/mine.bin", b"mine").status
    assert {"cached.bin": b"cached", "mine.bin": b"mine"} == unzipped(admin("GET", f"{AT}/all/x?archiveType=zip"))
    whole = admin("GET", f"{AT}/all?archiveType=zip")
    assert {"x/mine.bin", "x/cached.bin", "top/a.txt"} < set(unzipped(whole))
    assert 'filename="all.zip"' in whole.headers["content-disposition"]


def test_rights(admin: Asker) -> None:
    """For those with a name; what one may not read is not in it."""
    assert 401 == admin.by("")("GET", f"{AT}/files/top?archiveType=zip").status
    assert 401 == admin.by(basic("admin", "wrong"))("GET", f"{AT}/files/top?archiveType=zip").status
    ann = admin.make("ann")
    everybody = [f"{PERMISSIONS}/{quote(each['name'])}" for each in admin("GET", PERMISSIONS).json]
    kept = {each: admin("GET", each).json for each in everybody}
    for each in everybody:
        assert 200 == admin("DELETE", each).status
    try:
        without: Any = {"exclude-patterns": ["top/secret/**"]}
        assert 201 == admin.target("t", {"ann": READ}, **without).status
        found = unzipped(ann("GET", f"{AT}/files/top?archiveType=zip"))
        assert {name: data for name, data in TREE.items() if name != "secret/key"} == found
        assert 404 == ann("GET", f"{AT}/other?archiveType=zip").status
        assert 403 == ann("GET", f"{AT}/files/top/secret?archiveType=zip").status
    finally:
        for each in ("v2/security/permissions/t", "security/users/ann"):
            assert 200 == admin("DELETE", f"/api/{each}").status
        for address, target in kept.items():
            assert 201 == admin("POST", address, target).status


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("files/top", 400),
        ("files/top?archiveType=rar", 400),
        ("files/top?archiveType=zip&includeChecksumFiles=perhaps", 400),
        ("files/top/a.txt?archiveType=zip", 400),
        ("files/nothing?archiveType=zip", 404),
        ("nothing/top?archiveType=zip", 404),
        ("files/top/../top?archiveType=zip", 400),
    ],
)
def test_what_makes_no_sense(admin: Asker, what: str, status: int) -> None:
    """Is refused in the envelope."""
    answer = admin("GET", f"{AT}/{what}")
    assert (status, status) == (answer.status, answer.json["errors"][0]["status"])
    assert "content-disposition" not in answer.headers


def test_limits(admin: Asker) -> None:
    """Too many files and too many bytes are refused before the first one."""
    for number in range(21):
        assert 201 == admin("PUT", f"/other/many/{number}", b"x").status
    refused = admin("GET", f"{AT}/other/many?archiveType=zip")
    assert (413, True) == (refused.status, "20 files and 40MB" in refused.error)
    for number in range(2):
        assert 201 == admin("PUT", f"/other/large/{number}", bytes(21_000_000)).status
    assert 413 == admin("GET", f"{AT}/other/large?archiveType=zip").status
    assert 413 == admin("GET", f"{AT}/other?archiveType=tar").status


def test_a_client_that_takes_nothing(admin: Asker) -> None:
    """Holds a place and nothing else, and no user holds all of them; when it has gone there is room again."""
    ann = admin.make("ann")
    assert 201 == admin("PUT", "/other/large/noise", LARGE * 30).status
    before = len(admin.regproxy.log)
    with socket.create_connection(("127.0.0.1", admin.regproxy.port)) as idle:
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        head = f"GET {AT}/other/large?archiveType=tgz HTTP/1.1\r\nHost: a\r\nAuthorization: {admin.authorization}\r\n\r\n"
        idle.sendall(head.encode())
        assert idle.recv(12) == b"HTTP/1.1 200"
        busy = admin("GET", f"{AT}/files/top?archiveType=zip")
        assert (429, "5") == (busy.status, busy.headers["retry-after"])
        assert 200 == ann("GET", f"{AT}/files/top?archiveType=zip").status
    wait_until(lambda: admin("GET", f"{AT}/files/top?archiveType=zip").status == 200)
    assert 200 == admin("DELETE", "/api/security/users/ann").status
    assert "Traceback" not in admin.regproxy.log[before:]


def test_lost_bytes(admin: Asker) -> None:
    """Cut an archive that has begun: nobody takes a part for the whole."""
    data = LARGE + b"lost"
    assert 201 == admin("PUT", "/other/lost/a", LARGE).status
    assert 201 == admin("PUT", "/other/lost/b", data).status
    name = sums(data)["sha256"]
    (blob,) = (path for path in (admin.regproxy.data_dir / "store").rglob(f"*{name}*") if path.is_file())
    blob.unlink()
    with pytest.raises((IncompleteRead, ConnectionError)):
        admin("GET", f"{AT}/other/lost?archiveType=zip")
    alone = admin("GET", f"{AT}/other/lost?archiveType=zip") if admin("DELETE", "/other/lost/a").status == 204 else None
    assert alone is not None
    assert (500, "content-disposition" in alone.headers) == (alone.status, False)
