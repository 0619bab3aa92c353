"""Local repositories of a real process: what is deployed is there, whole and durable, and nothing else is."""

import base64
import hashlib
import os
import random
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from regproxy.store.disk import DiskStore
from tests.fakes.deploying import ask, local, sums
from tests.fakes.files import remote, serving
from tests.fakes.process import Regproxy
from tests.wire.test_life import wait_until

DATA = random.Random(8).randbytes(3 << 20)
FULL = os.environ.get("REGPROXY_FULL") == "1"
KILLS = 200 if FULL else 6
BIG = 5 << 30 if FULL else 256 << 20
GROWTH = 64 << 20

Start = Callable[..., Regproxy]


@pytest.fixture
def files(twist_regproxy: Start) -> Regproxy:
    """A server with one local repository."""
    return twist_regproxy(local())


def b64(algorithm: str, data: bytes = DATA) -> str:
    """A digest as Content-MD5 and Digest write it."""
    return base64.b64encode(hashlib.new(algorithm, data).digest()).decode()


def stored(regproxy: Regproxy) -> list[str]:
    """Names of the blobs in its store, and of what is being written."""
    spool = regproxy.data_dir / "store" / "spool"
    return [blob.sha256 for blob in DiskStore(regproxy.data_dir / "store").each()] + [path.name for path in spool.iterdir()]


def test_deploy_and_download(files: Regproxy) -> None:
    """What went in comes out, described alike by deploy, GET and HEAD."""
    answer = ask(files, "PUT", "/artifactory/files/a/b%20c/x.tar.gz", DATA)
    assert answer.status == 201
    url = f"{files.base_url}/artifactory/files/a/b%20c/x.tar.gz"
    info = answer.json
    assert (url, url, sums(DATA)) == (answer.headers["location"], info["downloadUri"], info["checksums"])
    assert ("files", "/a/b c/x.tar.gz", str(len(DATA)), "application/gzip", "anonymous") == tuple(
        info[name] for name in ("repo", "path", "size", "mimeType", "createdBy")
    )
    got, head = (ask(files, method, "/files/a/b%20c/x.tar.gz") for method in ("GET", "HEAD"))
    assert (200, DATA) == (got.status, got.body)
    told = {name: got.headers[f"x-checksum-{name}"] for name in ("md5", "sha1", "sha256")}
    assert (sums(DATA), f'"{told["sha1"]}"', "local") == (told, got.headers["etag"], got.headers["x-regproxy-cache"])
    same = ("content-length", "etag", "last-modified", "x-checksum-md5", "accept-ranges", "content-disposition", "content-type")
    assert [got.headers[name] for name in same] == [head.headers[name] for name in same]
    part = ask(files, "GET", "/files/a/b%20c/x.tar.gz", range="bytes=5-9")
    assert (206, DATA[5:10]) == (part.status, part.body)
    assert ask(files, "GET", "/files/a/b%20c/x.tar.gz", if_none_match=got.headers["etag"]).status == 304


def test_bytes_that_have_gone_are_told(files: Regproxy) -> None:
    """Nobody can fetch them: an error for who asks, one line of the log and one count for who runs it. Deleted is not lost."""
    assert ask(files, "PUT", "/files/gone", DATA).status == 201
    (path,) = (path for path in (files.data_dir / "store" / "blobs").rglob("*") if path.is_file())
    path.unlink()
    for answer in (ask(files, "GET", "/files/gone"), ask(files, "GET", "/files/gone")):
        assert (500, "its bytes are gone, or damaged and put aside") == (answer.status, answer.error)
    assert files.log.count("LOST: files:gone ") == 1
    assert f"its blob {sums(DATA)['sha256']} is missing" in files.log
    count = 'regproxy_blobs_quarantined_total{why="missing"} 1.0'
    assert count in ask(files, "GET", "/metrics").body.decode()
    assert ask(files, "PUT", "/files/again", DATA).status == 201
    assert (200, DATA) == ((again := ask(files, "GET", "/files/gone")).status, again.body)
    assert [ask(files, "DELETE", f"/files/{name}").status for name in ("gone", "again")] == [204, 204]
    assert ask(files, "GET", "/files/gone").status == 404
    assert count in ask(files, "GET", "/metrics").body.decode()


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        *((f"X-Checksum-{each}", hashlib.new(each, DATA).hexdigest(), hashlib.new(each, b"").hexdigest()) for each in sums(b"")),
        ("X-Checksum", hashlib.sha256(DATA).hexdigest().upper(), "0" * 64),
        ("Content-MD5", b64("md5"), b64("md5", b"")),
        ("Digest", f"SHA-256={b64('sha256')},unknown=abc", f"sha-256={b64('sha256', b'')}"),
        ("Content-Digest", f"sha-512=:{b64('sha512')}:", f"sha-512=:{b64('sha512', b'')}:"),
    ],
)
def test_checksums(files: Regproxy, name: str, right: str, wrong: str) -> None:
    """Bytes that are not what the client says are refused with both values, and nothing of them is there."""
    refused = ask(files, "PUT", "/files/x", DATA, **{name: wrong})
    assert refused.status == 409
    assert "expected" in refused.error
    assert "got" in refused.error
    assert ask(files, "GET", "/files/x").status == 404
    assert [] == stored(files)
    assert ask(files, "PUT", "/files/x", DATA, **{name: "nonsense"}).status == 400
    assert ask(files, "PUT", "/files/x", DATA, **{name: right}).status == 201
    # A wrong one over a right one leaves that.
    assert ask(files, "PUT", "/files/x", b"other", **{name: wrong}).status == 409
    assert ask(files, "GET", "/files/x").body == DATA


def test_server_generated_checksums(twist_regproxy: Start) -> None:
    """The operator may trust his own computing more than clients' headers."""
    files = twist_regproxy(local("files", 'checksumPolicyType = "server-generated-checksums"'))
    assert ask(files, "PUT", "/files/x", DATA, x_checksum_sha1="0" * 40).status == 201


def test_checksum_deploy(twist_regproxy: Start) -> None:
    """Bytes that are here already need not be sent, wherever they came from; unknown ones are 404."""
    fetched = DATA[::-1]
    with serving({"/f": fetched}) as upstream:
        regproxy = twist_regproxy(local("here") + local("there") + remote(upstream.url))
        say = {"x_checksum_deploy": "true"}
        missing = ask(regproxy, "PUT", "/there/x", x_checksum_sha1=sums(DATA)["sha1"], **say)
        assert (404, True) == (missing.status, missing.error.startswith("Checksum deploy failed. No existing file with SHA1: "))
        assert ask(regproxy, "PUT", "/there/x", **say).status == 400
        ask(regproxy, "PUT", "/here/x", DATA)
        for algorithm, value in sums(DATA).items():
            answer = ask(regproxy, "PUT", f"/there/{algorithm};k=v", **{f"x_checksum_{algorithm}": value}, **say)
            assert (201, sums(DATA)) == (answer.status, answer.json["checksums"])
            assert ask(regproxy, "GET", f"/there/{algorithm}").body == DATA
        both = {"x_checksum_sha1": sums(DATA)["sha1"], "x_checksum_md5": sums(b"")["md5"]}
        assert ask(regproxy, "PUT", "/there/y", **both, **say).status == 404
        ask(regproxy, "GET", "/files/f")
        wait_until(lambda: ask(regproxy, "GET", "/files-cache/f").status == 200)
        of_remote = ask(regproxy, "PUT", "/there/r", x_checksum_sha256=sums(fetched)["sha256"], **say)
        assert (201, sums(fetched)) == (of_remote.status, of_remote.json["checksums"])
        # Nobody names these bytes any more, so nobody may see them.
        for path in ("/here/x", *(f"/there/{name}" for name in sums(b""))):
            assert ask(regproxy, "DELETE", path).status == 204
        assert ask(regproxy, "PUT", "/there/z", x_checksum_sha1=sums(DATA)["sha1"], **say).status == 404


def test_a_part_is_no_file(files: Regproxy) -> None:
    """What a client sends as the rest of a file (``curl -C``) does not become a file of its own."""
    ask(files, "PUT", "/files/x", b"whole")
    refused = ask(files, "PUT", "/files/x", b"le", content_range="bytes 3-4/5")
    assert (400, True) == (refused.status, "as a whole" in refused.error)
    assert ask(files, "GET", "/files/x").body == b"whole"


def test_names(files: Regproxy) -> None:
    """Files and folders don't take each other's place, and odd paths are refused."""
    assert ask(files, "PUT", "/files/a/b", b"1").status == 201
    for path in ("/files/a", "/files/a/b/c", "/files/a/b/c/d"):
        assert ask(files, "PUT", path, b"2").status == 409
    assert ask(files, "PUT", "/files/a/b/").status == 409
    for path in ("/files/", "/files//x", "/files/a//x", "/files/;k=v", "/files/a/..;x=1/b", "/files/a;novalue", "/files/a%2Fb"):
        assert ask(files, "PUT", path, b"2").status in (400, 405), path
    assert ask(files, "PUT", "/files/semi%3Bcolon;k=v", b"3").status == 201
    assert ask(files, "GET", "/files/semi%3Bcolon").body == b"3"
    assert ask(files, "PUT", "/files/x", b"", x_explode_archive="true").status == 400


def test_folders(files: Regproxy) -> None:
    """They are made by deploys and by a slash, listed, and deleted with all that is in them."""
    made = ask(files, "PUT", "/files/new/deep/")
    assert (201, "/new/deep") == (made.status, made.json["path"])
    ask(files, "PUT", "/files/new/<b>.txt", b"1")
    moved = ask(files, "GET", "/artifactory/files/new")
    assert (302, "/artifactory/files/new/") == (moved.status, moved.headers["location"])
    page = ask(files, "GET", "/artifactory/files/new/")
    assert (200, "text/html; charset=utf-8") == (page.status, page.headers["content-type"])
    assert b'<a href="/artifactory/files/new/%3Cb%3E.txt">&lt;b&gt;.txt</a>' in page.body
    assert b'<a href="/artifactory/files/new/deep/">deep/</a>' in page.body
    assert ask(files, "GET", "/files/").status == 200
    assert ask(files, "GET", "/files/none/").status == 404
    assert [204, 404, 404] == [ask(files, "DELETE", path).status for path in ("/files/new", "/files/new", "/files/new/")]
    assert [400, 405] == [ask(files, "DELETE", path).status for path in ("/files/a//b", "/files/")]
    assert ask(files, "GET", "/files/new/%3Cb%3E.txt").status == 404


def test_patterns_and_quota(twist_regproxy: Start) -> None:
    """Refused with the reason before the body is asked for, and in the end if it did not say how long it is."""
    keys = ('includesPattern = "in/**"', 'excludesPattern = "**/*.exe"', f'maxBytes = "{len(DATA) + 10}"')
    files = twist_regproxy(local("files", *keys))
    for path in ("/files/out", "/files/in/x.exe"):
        assert (403, "pattern") == ((answer := ask(files, "PUT", path, DATA)).status, "pattern" * ("pattern" in answer.error))
    assert ask(files, "PUT", "/files/in/a", DATA).status == 201
    with socket.create_connection(("127.0.0.1", files.port), timeout=30) as client:
        client.sendall(b"PUT /files/in/b HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 413"
    chunked = ask(files, "PUT", "/files/in/b", iter([b"x" * 11]))
    assert (413, True) == (chunked.status, f"may hold {len(DATA) + 10} bytes" in chunked.error)
    assert ask(files, "PUT", "/files/in/b", b"x" * 10).status == 201
    assert ask(files, "PUT", "/files/in/a", DATA).status == 201
    assert ask(files, "DELETE", "/files/in/a").status == 204
    assert ask(files, "PUT", "/files/in/c", DATA).status == 201


def test_what_no_disk_holds_is_refused_at_once(files: Regproxy) -> None:
    """Before the body is asked for, and the client is told why."""
    for method, path in (("PUT", "/files/huge"), ("PUT", "/artifactory/files/huge")):
        with socket.create_connection(("127.0.0.1", files.port), timeout=30) as client:
            head = f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {1 << 49}\r\nExpect: 100-continue\r\n\r\n"
            client.sendall(head.encode())
            answer = client.recv(4096)
            assert answer.startswith(b"HTTP/1.1 507 ")
            assert b"no room" in answer


def test_writing_needs_to_be_allowed(twist_regproxy: Start) -> None:
    """By default from this machine only, and what a proxy has forwarded is from elsewhere; never means never."""
    closed = twist_regproxy('[access]\nanonymousWrite = "never"\n' + local())
    refused = ask(closed, "PUT", "/files/x", DATA)
    assert (401, True) == (refused.status, "anonymousWrite" in refused.error)
    assert ask(closed, "DELETE", "/files/x").status == 401
    assert ask(closed, "GET", "/files/x").status == 404
    default = twist_regproxy(local())
    assert ask(default, "PUT", "/files/x", DATA, x_forwarded_for="192.0.2.1").status == 401
    assert ask(default, "PUT", "/files/x", DATA).status == 201
    assert ask(default, "GET", "/files/x", x_forwarded_for="192.0.2.1").status == 200
    anywhere = twist_regproxy('[access]\nanonymousWrite = "anywhere"\n' + local())
    assert ask(anywhere, "PUT", "/files/x", DATA, x_forwarded_for="192.0.2.1").status == 201


def test_remote_repositories_take_nothing(twist_regproxy: Start) -> None:
    """A deploy to one is refused, and says why."""
    with serving({"/f": b"1"}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        for key, methods in (("files", "GET, HEAD"), ("files-cache", "DELETE, GET, HEAD")):
            answer = ask(regproxy, "PUT", f"/{key}/x", DATA)
            assert (405, methods) == (answer.status, answer.headers["allow"])
            assert answer.error.startswith("files is a remote repository")
        assert "GET, HEAD" == ask(regproxy, "DELETE", "/files/f").headers["allow"]


def test_cut_uploads_leave_nothing(files: Regproxy) -> None:
    """Wherever they are cut, over a file that was there too."""
    head = b"PUT /files/x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(DATA)
    ask(files, "PUT", "/files/x", b"before")
    for at in (0, 1, 70_000, len(DATA) - 1):
        with socket.create_connection(("127.0.0.1", files.port)) as client:
            client.sendall(head + DATA[:at])
            if at:
                wait_until(lambda: len(stored(files)) == 2)
        wait_until(lambda: len(stored(files)) == 1)
        assert ask(files, "GET", "/files/x").body == b"before"


def test_an_upload_that_is_there_outlives_its_client(files: Regproxy) -> None:
    """Who leaves behind the last byte without waiting for the answer has put it there."""
    with socket.create_connection(("127.0.0.1", files.port)) as client:
        client.sendall(b"PUT /files/x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(DATA) + DATA)
    wait_until(lambda: ask(files, "GET", "/files/x").body == DATA)


def test_parallel_uploads_to_one_path(files: Regproxy) -> None:
    """All are told that they succeeded, one stands, and no reader ever sees anything but one of them, whole."""
    bodies = [random.Random(number).randbytes(1 << 20) for number in range(6)]
    seen: list[bytes] = []
    statuses: list[int] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            answer = ask(files, "GET", "/files/x")
            if answer.status == 200:
                seen.append(answer.body)

    writers = [
        threading.Thread(target=lambda body=body: statuses.append(ask(files, "PUT", "/files/x", body).status)) for body in bodies
    ]
    reader = threading.Thread(target=read)
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    over.set()
    reader.join()
    assert [201] * 6 == statuses
    assert set(seen) <= set(bodies)
    assert ask(files, "GET", "/files/x").body in bodies


def test_no_room_on_the_disk(files: Regproxy) -> None:
    """A length that does not fit is refused before the body is asked for."""
    with socket.create_connection(("127.0.0.1", files.port), timeout=30) as client:
        client.sendall(b"PUT /files/x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n" % (1 << 49))
        assert client.recv(12) == b"HTTP/1.1 507"
    assert [] == stored(files)


def test_killed_straight_after_201(files: Regproxy) -> None:
    """Whatever was acknowledged is there, and what was not is not there in part."""
    rng = random.Random(20)
    kept: dict[str, bytes] = {}
    for attempt in range(KILLS):
        for number in range(rng.randrange(1, 4)):
            path, body = f"/files/{attempt}/{number}", rng.randbytes(rng.randrange(200_000))
            assert ask(files, "PUT", path, body).status == 201
            kept[path] = body
        unfinished = socket.create_connection(("127.0.0.1", files.port))
        unfinished.sendall(
            b"PUT /files/half HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n" + bytes(rng.randrange(300_000))
        )
        files.restart(kill=True)
        unfinished.close()
        for path, body in kept.items():
            assert (200, body) == ((answer := ask(files, "GET", path)).status, answer.body)
        assert ask(files, "GET", "/files/half").status == 404
        kept = dict(list(kept.items())[-20:])
    assert set(stored(files)) >= {hashlib.sha256(body).hexdigest() for body in kept.values()}


def test_memory_stays_flat(files: Regproxy) -> None:
    """However large the file is."""
    ask(files, "PUT", "/files/warm", DATA * 8)
    before = files.peak_rss()
    piece = random.Random(3).randbytes(1 << 20)

    def pieces() -> Iterator[bytes]:
        for _ in range(BIG // len(piece)):
            yield piece

    answer = ask(files, "PUT", "/files/big", pieces(), content_length=str(BIG))
    assert (201, str(BIG)) == (answer.status, answer.json["size"])
    assert files.peak_rss() - before < GROWTH


def test_uploads_survive_a_reload(files: Regproxy, tmp_path: Path) -> None:
    """A repository that is configured anew while it receives loses nothing."""
    with socket.create_connection(("127.0.0.1", files.port), timeout=30) as client:
        client.sendall(b"PUT /files/x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(DATA) + DATA[:100_000])
        wait_until(lambda: len(stored(files)) == 1)
        files.write_config(local("files", 'description = "another"'))
        files.signal(signal.SIGHUP)
        wait_until(lambda: "reloaded" in files.log)
        client.sendall(DATA[100_000:])
        assert client.recv(12) == b"HTTP/1.1 201"
    assert ask(files, "GET", "/files/x").body == DATA
