"""Local image repositories of a real process: every style of upload, and what must not be taken."""

import hashlib
import random
import signal
import socket
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from tests.fakes.deploying import Answer, ask
from tests.fakes.process import Regproxy
from tests.fakes.pushing import OCTETS, Client, Start, code_of, images, located, pieces
from tests.fakes.registry_image import build_image, digest_of
from tests.wire.test_life import wait_until
from tests.wire.test_local import stored

DATA = random.Random(12).randbytes(3 << 20)
DIGEST = digest_of(DATA)


@pytest.fixture
def client(twist_regproxy: Start) -> Client:
    """A client of a server with one local repository."""
    return Client(twist_regproxy(images()))


@pytest.fixture(scope="module")
def holder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a server that has the first 2048 bytes."""
    regproxy = Regproxy(tmp_path_factory.mktemp("holder"), images())
    regproxy.start()
    try:
        client = Client(regproxy)
        client.push_blob(DATA[:2048])
        yield client
    finally:
        regproxy.close()


def assert_there(client: Client, data: bytes, digest: str) -> None:
    """GET, HEAD and a range give these bytes."""
    got, head = (client.ask(method, f"blobs/{digest}") for method in ("GET", "HEAD"))
    assert (200, data) == (got.status, got.body)
    told = (str(len(data)), digest, f'"{digest}"', "bytes", OCTETS)
    names = ("content-length", "docker-content-digest", "etag", "accept-ranges", "content-type")
    assert told == tuple(got.headers[name] for name in names) == tuple(head.headers[name] for name in names)
    if len(data) > 9:
        part = client.ask("GET", f"blobs/{digest}", range="bytes=5-9")
        assert (206, data[5:10]) == (part.status, part.body)


@pytest.mark.parametrize("data", [DATA, b"{}", b""])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_styles_of_upload(client: Client, data: bytes, algorithm: str) -> None:
    """One request, POST and PUT, a stream, and pieces with and without a last one: each time the same blob."""
    digest = f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
    at = f"?digest={digest}"
    answers = [client.ask("POST", f"blobs/uploads/{at}", data, content_type=OCTETS)]
    answers.append(client.follow("PUT", client.begin(), at, data, content_type=OCTETS))
    streamed = client.follow("PATCH", client.begin(), "", iter([data[:7], data[7:]]))
    assert (202, f"0-{max(0, len(data) - 1)}") == (streamed.status, streamed.headers["range"])
    answers.append(client.follow("PUT", streamed, at))
    in_pieces = client.begin(f"?digest-algorithm={algorithm}")
    for start, piece in pieces(data, 1 << 20):
        said = f"{start}-{start + len(piece) - 1}"
        in_pieces = client.follow("PATCH", in_pieces, "", piece, content_range=said)
        assert (202, f"0-{start + len(piece) - 1}") == (in_pieces.status, in_pieces.headers["range"])
    answers.append(client.follow("PUT", in_pieces, at))
    last = client.follow("PATCH", client.begin(), "", data[: len(data) // 2])
    answers.append(client.follow("PUT", last, at, data[len(data) // 2 :]))
    for answer in answers:
        assert (201, digest) == (answer.status, answer.headers["docker-content-digest"])
        assert f"/v2/images/team/app/blobs/{digest}" == located(answer)
    assert_there(client, data, digest)
    assert [hashlib.sha256(data).hexdigest()] == stored(client.regproxy)


def test_nothing_there(client: Client) -> None:
    """What a registry says of an image that does not exist."""
    for root in ("/v2/", "/v2/images/", "/api/docker/images/v2/"):
        ping = ask(client.regproxy, "GET", root)
        assert (200, b"{}", "registry/2.0") == (ping.status, ping.body, ping.headers["docker-distribution-api-version"])
    assert (404, "NAME_UNKNOWN") == code_of(client.tags())
    assert [] == client.ask("GET", f"referrers/{DIGEST}").json["manifests"]
    for algorithm in ("sha256", "sha512"):
        digest = f"{algorithm}:{hashlib.new(algorithm, b'none').hexdigest()}"
        assert (404, "MANIFEST_UNKNOWN") == code_of(client.ask("GET", f"manifests/{digest}"))
        assert (404, "BLOB_UNKNOWN") == code_of(client.ask("GET", f"blobs/{digest}"))
        assert [404, 404] == [client.ask("DELETE", f"{kind}/{digest}").status for kind in ("manifests", "blobs")]
    assert (404, "MANIFEST_UNKNOWN") == code_of(client.ask("GET", "manifests/tag"))
    for path in ("manifests/sha256:baddigeststring", "blobs/sha256:baddigeststring", "referrers/sha256:baddigeststring"):
        assert (400, "DIGEST_INVALID") == code_of(client.ask("GET", path))


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("500-1499", 500, 1500), ("500-", 500, 2048), ("-500", 1548, 2048), ("2000-5000", 2000, 2048), ("0-0", 0, 1)],
)
def test_ranges(holder: Client, asked: str, start: int, stop: int) -> None:
    """Parts of a blob, cut at its end."""
    data = DATA[:2048]
    digest = digest_of(data)
    part = holder.ask("GET", f"blobs/{digest}", range=f"bytes={asked}")
    assert (206, data[start:stop], f"bytes {start}-{stop - 1}/2048") == (part.status, part.body, part.headers["content-range"])
    beyond = holder.ask("GET", f"blobs/{digest}", range="bytes=5000-10000")
    assert (416, "RANGE_INVALID") == code_of(beyond)


def test_pieces_out_of_order(client: Client) -> None:
    """Are refused with what is there, and the upload goes on."""
    upload = client.follow("PATCH", client.begin(), "", DATA[:1000], content_range="0-999")
    for said in ("0-999", "2000-2999", "1001-2000"):
        refused = client.follow("PATCH", upload, "", DATA[2000:3000], content_range=said)
        assert (416, "BLOB_UPLOAD_INVALID") == code_of(refused)
    for said in ("x", "1000-1001"):
        assert 400 == client.follow("PATCH", upload, "", DATA[1000:2000], content_range=said).status
    state = client.follow("GET", upload)
    assert (204, "0-999") == (state.status, state.headers["range"])
    assert located(upload) == located(state)
    last = client.follow("PUT", upload, f"?digest={DIGEST}", DATA[1000:], content_range=f"1000-{len(DATA) - 1}")
    assert 201 == last.status
    assert_there(client, DATA, DIGEST)


def test_wrong_digests(client: Client) -> None:
    """Each style is refused, nothing of it is there, and the session has ended."""
    wrong = digest_of(b"other")
    assert (400, "DIGEST_INVALID") == code_of(client.ask("POST", f"blobs/uploads/?digest={wrong}", DATA))
    upload = client.follow("PATCH", client.begin(), "", DATA)
    assert (400, "DIGEST_INVALID") == code_of(client.follow("PUT", upload, f"?digest={wrong}"))
    assert (404, "BLOB_UPLOAD_UNKNOWN") == code_of(client.follow("GET", upload))
    for query in ("", "?digest=sha256:x", "?digest=md5:00"):
        assert (400, "DIGEST_INVALID") == code_of(client.follow("PUT", client.begin(), query, DATA))
    assert 404 == client.ask("HEAD", f"blobs/{wrong}").status
    assert (404, "BLOB_UNKNOWN") == code_of(client.ask("GET", f"blobs/{DIGEST}"))


def test_cancelled_and_unknown_uploads(client: Client) -> None:
    """Who cancels leaves nothing; an upload is only where it was begun."""
    upload = client.follow("PATCH", client.begin(), "", DATA)
    session = located(upload).rpartition("/")[2]
    elsewhere = Client(client.regproxy, "team/other")
    assert (404, "BLOB_UPLOAD_UNKNOWN") == code_of(elsewhere.ask("GET", f"blobs/uploads/{session}"))
    assert 204 == client.follow("DELETE", upload).status
    for method in ("GET", "PATCH", "DELETE"):
        assert (404, "BLOB_UPLOAD_UNKNOWN") == code_of(client.follow(method, upload))
    assert [] == stored(client.regproxy)


def holds(client: Client, upload: Answer, size: int) -> bool:
    """Whether so many bytes of an upload are there."""
    return client.follow("GET", upload).headers["range"] == f"0-{size - 1}"


def test_a_cut_piece_is_gone_on_with(client: Client) -> None:
    """What came before the cut is there, also after a restart and a kill."""
    upload = client.begin()
    for kill, held, at in ((False, 0, 1 << 20), (True, 1 << 20, 2 << 20)):
        head = f"PATCH {located(upload)} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(DATA)}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", client.regproxy.port)) as cut:
            cut.sendall(head + DATA[held:at])
            wait_until(partial(holds, client, upload, at))
        wait_until(lambda: client.follow("PATCH", upload, "", b"").status == 202)
        client.regproxy.restart(kill=kill)
        state = client.follow("GET", upload)
        assert (204, f"0-{at - 1}") == (state.status, state.headers["range"])
    assert 201 == client.follow("PUT", upload, f"?digest={DIGEST}", DATA[2 << 20 :]).status
    assert_there(client, DATA, DIGEST)


def test_one_writer_at_a_time(client: Client) -> None:
    """A second request to an upload that is being written to is refused, and harms nothing."""
    upload = client.begin()
    head = f"PATCH {located(upload)} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(DATA)}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", client.regproxy.port), timeout=30) as first:
        first.sendall(head + DATA[:70_000])
        wait_until(lambda: client.follow("GET", upload).headers["range"] == "0-69999")
        assert (409, "BLOB_UPLOAD_INVALID") == code_of(client.follow("PATCH", upload, "", b"other"))
        assert (409, "BLOB_UPLOAD_INVALID") == code_of(client.follow("DELETE", upload))
        first.sendall(DATA[70_000:])
        assert first.recv(12) == b"HTTP/1.1 202"
    assert 201 == client.follow("PUT", upload, f"?digest={DIGEST}").status


def test_mounts(twist_regproxy: Start) -> None:
    """Between images, repositories and by digest alone; what is not there begins an ordinary upload."""
    regproxy = twist_regproxy(images() + images("others", package_type="oci"))
    source, target = Client(regproxy, "a"), Client(regproxy, "b", "/v2/others")
    source.push_blob(DATA)
    for query in ("from=images/a", "from=a", ""):
        mounted = Client(regproxy, f"c{len(query)}").begin(f"?mount={DIGEST}&{query}")
        assert (201, DIGEST) == (mounted.status, mounted.headers["docker-content-digest"])
    mounted = target.begin(f"?mount={DIGEST}&from=images/a")
    assert (201, f"/v2/others/b/blobs/{DIGEST}") == (mounted.status, located(mounted))
    assert_there(target, DATA, DIGEST)
    for query in (f"mount={DIGEST}&from=images/none", f"mount={DIGEST}&from=nowhere/a", f"mount={digest_of(b'x')}"):
        begun = Client(regproxy, "d").begin(f"?{query}")
        assert (202, "0-0") == (begun.status, begun.headers["range"])
        assert 201 == source.follow("PUT", begun, f"?digest={digest_of(b'y')}", b"y").status
    assert (400, "DIGEST_INVALID") == code_of(target.begin("?mount=sha256:x"))
    # A right to bytes that nobody names any more is nobody's.
    for each in (source, Client(regproxy, "c13"), Client(regproxy, "c6"), Client(regproxy, "c0"), target):
        assert 202 == each.ask("DELETE", f"blobs/{DIGEST}").status
    assert 202 == Client(regproxy, "e").begin(f"?mount={DIGEST}").status


def test_parallel_pushes_of_one_layer(client: Client) -> None:
    """All succeed, and the bytes are there once."""
    statuses: list[int] = []

    def push() -> None:
        upload = client.follow("PATCH", client.begin(), "", DATA)
        statuses.append(client.follow("PUT", upload, f"?digest={DIGEST}").status)

    threads = [threading.Thread(target=push) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [201] * 6 == statuses
    assert_there(client, DATA, DIGEST)
    assert [DIGEST.removeprefix("sha256:")] == stored(client.regproxy)


def test_quota(twist_regproxy: Start) -> None:
    """Over it is refused, before the body where its length is known, in the end where it is not; in pieces too, and then what had
    come goes: nobody could go on with it.
    """
    client = Client(twist_regproxy(images("images", 'maxBytes = "2MB"')))
    assert (413, "DENIED") == code_of(client.ask("POST", f"blobs/uploads/?digest={DIGEST}", DATA))
    assert (413, "DENIED") == code_of(client.follow("PATCH", client.begin(), "", iter([DATA])))
    for method, query in (("PATCH", ""), ("PUT", f"?digest={DIGEST}")):
        upload = client.follow("PATCH", client.begin(), "", DATA[:1_500_000])
        assert (413, "DENIED") == code_of(client.follow(method, upload, query, DATA[1_500_000:]))
        assert (404, "BLOB_UPLOAD_UNKNOWN") == code_of(client.follow(method, upload, query, DATA[1_500_000:]))
    assert [] == list((client.regproxy.data_dir / "store" / "spool").iterdir())
    client.push_blob(DATA[:1_900_000])
    assert 404 == client.ask("HEAD", f"blobs/{DIGEST}").status


def test_closed_to_writers(twist_regproxy: Start) -> None:
    """What may not be done without a login says so with the reason, before any byte; what nobody may do is DENIED."""
    regproxy = twist_regproxy('[access]\nanonymousWrite = "never"\n' + images())
    client = Client(regproxy)
    refused = [
        client.begin(),
        client.begin(f"?digest={DIGEST}"),
        client.push("1", build_image().index),
        client.ask("PATCH", f"blobs/uploads/{'0' * 32}", b"x"),
        client.ask("DELETE", "manifests/1"),
        client.ask("DELETE", f"blobs/{DIGEST}"),
    ]
    assert [(401, "UNAUTHORIZED")] * len(refused) == [code_of(answer) for answer in refused]
    assert all("anonymousWrite" in answer.error for answer in refused)
    assert 401 == ask(regproxy, "GET", "/v2/").status  # registries' clients show a name if they are asked for it here
    keys = ('excludesPattern = "secret/**"',)
    patterns = Client(twist_regproxy(images("images", *keys)), "secret/app")
    assert (403, "DENIED") == code_of(patterns.begin())
    assert (403, "DENIED") == code_of(Client(twist_regproxy(images("images", "blackedOut = true"))).begin())


def test_uploads_survive_a_reload(client: Client) -> None:
    """A repository that is configured anew goes on with what was begun."""
    upload = client.follow("PATCH", client.begin(), "", DATA[:100_000])
    client.regproxy.write_config(images("images", 'description = "another"'))
    client.regproxy.signal(signal.SIGHUP)
    wait_until(lambda: "reloaded" in client.regproxy.log)
    assert 201 == client.follow("PUT", upload, f"?digest={DIGEST}", DATA[100_000:]).status
    assert_there(client, DATA, DIGEST)


def test_addresses(client: Client) -> None:
    """Every form that a remote has, with Locations that stay in it."""
    prefixes = (
        "/v2/images",
        "/api/docker/images/v2",
        "/images/v2",
        "/artifactory/v2/images",
        "/artifactory/api/docker/images/v2",
    )
    for number, root in enumerate(prefixes):
        each = Client(client.regproxy, f"team/app{number}", root)
        begun = each.begin()
        assert located(begun).startswith(f"{root}/team/app{number}/blobs/uploads/")
        assert f"{root}/team/app{number}/blobs/{DIGEST}" == located(each.follow("PUT", begun, f"?digest={DIGEST}", DATA))
        assert_there(each, DATA, DIGEST)
    path = f"/images/team/app0/_layers/{DIGEST.replace(':', '__')}"
    assert DATA == ask(client.regproxy, "GET", path).body
    assert 405 == client.ask("POST", "tags/list").status


def test_several_processes(twist_regproxy: Start) -> None:
    """The pieces of an upload may come to any of them."""
    client = Client(twist_regproxy(images(), server="workers = 2"))
    for _ in range(3):
        upload = client.begin()
        for start, piece in pieces(DATA, 300_000):
            upload = client.follow("PATCH", upload, "", piece, content_range=f"{start}-{start + len(piece) - 1}")
            assert 202 == upload.status
        assert 201 == client.follow("PUT", upload, f"?digest={DIGEST}").status
    assert_there(client, DATA, DIGEST)


def test_no_room_on_the_disk(client: Client) -> None:
    """A piece that does not fit is refused before it is asked for; what had come of the upload goes, and others come."""
    upload = client.follow("PATCH", client.begin(), "", DATA[:1000])
    head = f"PATCH {located(upload)} HTTP/1.1\r\nHost: a\r\nContent-Length: {1 << 49}\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", client.regproxy.port), timeout=30) as much:
        much.sendall(head.encode())
        assert much.recv(12) == b"HTTP/1.1 507"
    assert 404 == client.follow("PUT", upload, f"?digest={DIGEST}", DATA[1000:]).status
    assert [] == list((client.regproxy.data_dir / "store" / "spool").iterdir())
    assert 201 == client.follow("PUT", client.begin(), f"?digest={DIGEST}", DATA).status
    assert_there(client, DATA, DIGEST)
