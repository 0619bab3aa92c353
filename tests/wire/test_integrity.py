"""One flipped bit upstream: no client ends up with the file, nothing is stored, and the next request is right.

The upstream is shaped like a registry, so the address itself says what the bytes must be.
"""

import contextlib
import hashlib
import http.client
import random
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fakes.files import Files, serving
from tests.fakes.process import Regproxy

SIZE = 16 << 20
PART = 2 << 20
GOOD = random.Random(3).randbytes(SIZE)
BAD = GOOD[: SIZE // 2] + bytes([GOOD[SIZE // 2] ^ 1]) + GOOD[SIZE // 2 + 1 :]
PATH = f"/v2/app/blobs/sha256:{hashlib.sha256(GOOD).hexdigest()}"
REMOTE = '[[repository]]\nkey = "hub"\nrclass = "remote"\npackageType = "docker"\nurl = "{url}"\n'


@pytest.fixture
def upstream() -> Iterator[Files]:
    """An upstream whose blob has a flipped bit."""
    with serving({PATH: BAD}) as files:
        yield files


def get(port: int, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """GET the blob; a body that ends too soon is returned as far as it came."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", f"/v2/hub{PATH.removeprefix('/v2')}", headers=headers or {})
    answer = connection.getresponse()
    body = bytearray()
    with contextlib.suppress(http.client.IncompleteRead, ConnectionResetError):
        while piece := answer.read1(64 << 10):
            body += piece
    connection.close()
    return answer.status, bytes(body)


def test_a_plain_get_is_cut(upstream: Files, twist_regproxy: Callable[..., Regproxy]) -> None:
    """The body stays short, nothing is kept, and once upstream is mended the same address is right."""
    regproxy = twist_regproxy(REMOTE.format(url=upstream.url))
    status, body = get(regproxy.port)
    assert (status, len(body) < SIZE) == (200, True)
    assert list((regproxy.data_dir / "store" / "blobs").rglob("*/*/*")) == []
    upstream.contents[PATH] = GOOD
    assert get(regproxy.port) == (200, GOOD)


def test_an_upstream_that_does_not_mend(upstream: Files, twist_regproxy: Callable[..., Regproxy]) -> None:
    """It is asked twice, and then left alone for a while: clients that try again and again cost it nothing."""
    regproxy = twist_regproxy(REMOTE.format(url=upstream.url))
    answers = [get(regproxy.port) for _ in range(5)]
    assert [status for status, _ in answers] == [200, 200, 502, 502, 502]
    assert upstream.asked["GET", PATH] == 2
    assert (
        'regproxy_digest_mismatch_total{repository="hub"} 2'
        in urllib.request.urlopen(f"{regproxy.base_url}/metrics").read().decode()
    )


def test_a_resume_cannot_complete_a_wrong_prefix(upstream: Files, twist_regproxy: Callable[..., Regproxy]) -> None:
    """A client that asks for the rest is sent the whole from byte 0."""
    regproxy = twist_regproxy(REMOTE.format(url=upstream.url))
    _, prefix = get(regproxy.port)
    assert prefix != b""
    upstream.contents[PATH] = GOOD
    status, body = get(regproxy.port, {"Range": f"bytes={len(prefix)}-"})
    assert (status, body == GOOD) == (200, True)


def test_parallel_ranges_do_not_make_a_wrong_file(upstream: Files, twist_regproxy: Callable[..., Regproxy]) -> None:
    """Ranges of one cold blob are one fill; those that need the tail stay short."""
    regproxy = twist_regproxy(REMOTE.format(url=upstream.url))
    ranges = [{"Range": f"bytes={start}-{start + PART - 1}"} for start in range(0, SIZE, PART)]
    with ThreadPoolExecutor(len(ranges)) as pool:
        parts = list(pool.map(lambda headers: get(regproxy.port, headers), ranges))
    assert {status for status, _ in parts} == {206}
    assert sum(len(body) for _, body in parts) < SIZE
    assert upstream.asked["GET", PATH] == 1
    upstream.contents[PATH] = GOOD
    assert get(regproxy.port) == (200, GOOD)


def test_a_small_wrong_blob_is_a_clean_error(twist_regproxy: Callable[..., Regproxy]) -> None:
    """A body that is no longer than the tail is not begun before it is verified."""
    path = f"/v2/app/blobs/sha256:{hashlib.sha256(b'right').hexdigest()}"
    with serving({path: b"wrong"}) as upstream:
        regproxy = twist_regproxy(REMOTE.format(url=upstream.url))
        connection = http.client.HTTPConnection("127.0.0.1", regproxy.port, timeout=30)
        connection.request("GET", f"/v2/hub{path.removeprefix('/v2')}")
        assert connection.getresponse().status == 502
        connection.close()
