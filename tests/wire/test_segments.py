"""A real process and an upstream that is far away: ranges of a cold file, and several connections for one.

Nothing is timed: what counts is what upstream was asked for, and what clients get.
"""

import http.client
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.fakes.files import remote
from tests.fakes.process import Regproxy
from tests.fakes.ranged import Ranged, ranged
from tests.wire.test_life import get, wait_until

MIB = 1 << 20
SIZE = 48 * MIB
DATA = random.Random(5).randbytes(SIZE)
# What may be on its way, in both kernels, when a connection is cut: of a paced upstream, else they take what they like.
IN_FLIGHT = 6 * MIB
SEGMENTS = ("segments = 8", 'segmentThreshold = "8MiB"')


def get_range(regproxy: Regproxy, first: int, last: int | None, path: str = "/files/big") -> tuple[int, bytes]:
    """GET a part."""
    connection = http.client.HTTPConnection("127.0.0.1", regproxy.port, timeout=60)
    connection.request("GET", path, headers={"Range": f"bytes={first}-{'' if last is None else last}"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def is_stored(regproxy: Regproxy) -> bool:
    """Whether it is a hit now."""
    return get(regproxy, "/files-cache/big")[0] == 200


@contextmanager
def client(regproxy: Regproxy) -> Iterator[http.client.HTTPResponse]:
    """One that begins to read all of it."""
    connection = http.client.HTTPConnection("127.0.0.1", regproxy.port, timeout=60)
    connection.request("GET", "/files/big")
    answer = connection.getresponse()
    try:
        yield answer
    finally:
        answer.close()
        connection.close()


def test_a_far_range_does_not_wait_for_what_is_before_it(twist_regproxy: Callable[..., Regproxy]) -> None:
    """Upstream stalls near the beginning; a footer and a far piece are served; what came so is not fetched again."""
    with ranged(DATA, hold_at=2 * MIB, pace=40e6) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        with client(regproxy) as whole:
            assert get_range(regproxy, SIZE - 1000, None) == (206, DATA[-1000:])
            assert get_range(regproxy, 30 * MIB, 34 * MIB - 1) == (206, DATA[30 * MIB : 34 * MIB])
            assert [(sent.status, sent.start, sent.stop) for sent in upstream.sent] == [
                (200, 0, SIZE),
                (206, SIZE - 1000, SIZE),
                (206, 30 * MIB, 34 * MIB),
            ]
            upstream.manner.released.set()
            assert whole.read() == DATA
        between = upstream.sent[3:]
        assert [(sent.start, sent.stop) for sent in between] == [(34 * MIB, SIZE - 1000)]
        assert upstream.bytes_out <= SIZE + 2 * IN_FLIGHT  # to its end, the first would have sent 18 MiB again


def test_parallel_ranges_are_one_fill(twist_regproxy: Callable[..., Regproxy]) -> None:
    """As containerd asks: six pieces of 8 MiB at once, of a layer that nobody has."""
    with ranged(DATA, delay=0.05, pace=40e6) as upstream:
        regproxy = twist_regproxy(upstream.registry)
        got: dict[int, tuple[int, bytes]] = {}

        def ask(first: int) -> None:
            got[first] = get_range(regproxy, first, first + 8 * MIB - 1, upstream.layer)

        threads = [threading.Thread(target=ask, args=(first,)) for first in range(0, SIZE, 8 * MIB)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert got == {first: (206, DATA[first : first + 8 * MIB]) for first in range(0, SIZE, 8 * MIB)}
        assert upstream.bytes_out <= SIZE + 2 * IN_FLIGHT
        assert upstream.most_open <= 2


def test_several_connections_bring_one_file(twist_regproxy: Callable[..., Regproxy]) -> None:
    """As many as make it faster, in pieces right ahead of the prefix; each byte once."""
    with ranged(DATA, delay=0.02, pace=4e6) as upstream:
        regproxy = twist_regproxy(remote(upstream.url, *SEGMENTS))
        assert get(regproxy, "/files/big") == (200, DATA)
        assert 4 <= upstream.most_open <= 8
        assert upstream.bytes_out <= SIZE + IN_FLIGHT
        first, *pieces = upstream.sent
        assert (first.start, first.stop) == (0, SIZE)
        assert max(piece.stop - piece.start for piece in pieces) <= SIZE // 3
        assert min(piece.start for piece in pieces[:2]) < SIZE // 2
        wait_until(lambda: is_stored(regproxy))


def test_one_connection_is_the_default(twist_regproxy: Callable[..., Regproxy]) -> None:
    """Nobody is asked for more who has not said that he allows it."""
    with ranged(DATA, delay=0.02, pace=20e6) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        assert get(regproxy, "/files/big") == (200, DATA)
        assert upstream.most_open == 1
        assert len(upstream.sent) == 1


@pytest.mark.parametrize(("manner", "status"), [({"ranges": False}, 200), ({"refuse": 1}, 429)])
def test_an_upstream_that_does_not_like_it(
    twist_regproxy: Callable[..., Regproxy], manner: dict[str, object], status: int
) -> None:
    """A 200 to a range is not spliced, 429 is not repeated: the first connection brings everything."""
    with ranged(DATA, pace=15e6, **manner) as upstream:
        regproxy = twist_regproxy(remote(upstream.url, *SEGMENTS))
        assert get(regproxy, "/files/big") == (200, DATA)
        assert upstream.sent[0].status == 200
        assert {sent.status for sent in upstream.sent[1:]} == {status}
        assert len(upstream.sent) <= 3
        wait_until(lambda: is_stored(regproxy))


def test_another_validator_is_not_spliced(twist_regproxy: Callable[..., Regproxy]) -> None:
    """The file changes while it comes: who asked for a far range waits for the first connection, which has the old one."""
    with ranged(DATA, hold_at=2 * MIB) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        with client(regproxy) as whole:
            upstream.manner.etag = '"v2"'
            got: list[tuple[int, bytes]] = []
            far = threading.Thread(target=lambda: got.append(get_range(regproxy, 30 * MIB, 30 * MIB + 9)))
            far.start()
            wait_until(lambda: len(upstream.sent) == 2)
            assert got == []
            upstream.manner.released.set()
            assert whole.read() == DATA
            far.join(30)
            assert got == [(206, DATA[30 * MIB : 30 * MIB + 10])]


def ask_only(upstream: Ranged) -> str:
    """A remote that fetches what is asked for."""
    return remote(upstream.url, 'fill = "asked"')


def test_only_what_is_asked_for(twist_regproxy: Callable[..., Regproxy]) -> None:
    """Pieces of a file stay pieces, over a restart too, until somebody wants all of it; none of them is fetched twice."""
    with ranged(DATA, pace=30e6) as upstream:
        regproxy = twist_regproxy(ask_only(upstream))
        assert get_range(regproxy, 40 * MIB, 41 * MIB - 1) == (206, DATA[40 * MIB : 41 * MIB])
        assert get_range(regproxy, 20 * MIB, 21 * MIB - 1) == (206, DATA[20 * MIB : 21 * MIB])
        assert upstream.bytes_out < 20 * MIB
        regproxy.restart()
        assert get_range(regproxy, 20 * MIB, 21 * MIB - 1) == (206, DATA[20 * MIB : 21 * MIB])
        assert get(regproxy, "/files/big") == (200, DATA)
        assert not any(sent.start == 20 * MIB for sent in upstream.sent[3:])
        assert upstream.bytes_out <= SIZE + 3 * IN_FLIGHT
        wait_until(lambda: is_stored(regproxy))
