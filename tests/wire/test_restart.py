"""A real process that ends in the middle of a fill: what it had is gone on with by the next one, and never served as it is."""

import random
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from regproxy.store.attending import Attending
from regproxy.store.journal import EXTENTS
from tests.fakes.files import remote
from tests.fakes.process import Regproxy
from tests.fakes.ranged import Ranged, ranged
from tests.wire.test_life import get, wait_until

SIZE = 24 << 20
HELD = 8 << 20
DATA = random.Random(12).randbytes(SIZE)


def cut_in_a_fill(regproxy: Regproxy, upstream: Ranged, path: str, *, kill: bool) -> None:
    """A client asks; the process ends when a third of it is there, and starts again."""
    with socket.create_connection(("127.0.0.1", regproxy.port)) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        wait_until(lambda: upstream.bytes_out >= HELD)
        # The journal, not the size of the file: what is not written there is not gone on with.
        wait_until(lambda: any(_has_arrived(path) for path in (regproxy.data_dir / "store" / "spool").glob(f"*{EXTENTS}")))
        regproxy.restart(kill=kill)
    upstream.manner.released.set()


def _has_arrived(journal: Path) -> bool:
    attending = Attending.open(str(journal).removesuffix(EXTENTS))
    if attending is None:
        return False
    arrived = attending.read().extents
    attending.close()
    return any(span.stop >= HELD for span in arrived)


@pytest.mark.parametrize("kill", [False, True])
def test_a_fill_goes_on_after_a_restart(twist_regproxy: Callable[..., Regproxy], *, kill: bool) -> None:
    """By a digest after any end, kill -9 too; only the rest is asked for."""
    with ranged(DATA, hold_at=HELD) as upstream:
        regproxy = twist_regproxy(upstream.registry)
        cut_in_a_fill(regproxy, upstream, upstream.layer, kill=kill)
        assert get(regproxy, upstream.layer.replace("/registry/", "/registry-cache/"))[0] == 404
        assert get(regproxy, upstream.layer) == (200, DATA)
        first, second = upstream.sent
        assert (first.status, second.status) == (200, 206)
        assert second.start >= HELD
        wait_until(lambda: not list((regproxy.data_dir / "store" / "spool").iterdir()))


def test_a_validator_alone_is_enough_after_a_clean_stop(twist_regproxy: Callable[..., Regproxy]) -> None:
    """SIGTERM brings what was received to the disk; after a kill -9 nothing tells whether it got there."""
    with ranged(DATA, hold_at=HELD) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        cut_in_a_fill(regproxy, upstream, "/files/big", kill=False)
        assert get(regproxy, "/files/big") == (200, DATA)
        assert [sent.status for sent in upstream.sent] == [200, 206]


def test_a_validator_alone_is_not_enough_after_a_kill(twist_regproxy: Callable[..., Regproxy]) -> None:
    """The fill begins anew."""
    with ranged(DATA, hold_at=HELD) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        cut_in_a_fill(regproxy, upstream, "/files/big", kill=True)
        assert list((regproxy.data_dir / "store" / "spool").iterdir()) == []
        assert get(regproxy, "/files/big") == (200, DATA)
        assert [sent.status for sent in upstream.sent] == [200, 200]


def test_a_parked_fill_goes_on_in_the_same_process(twist_regproxy: Callable[..., Regproxy]) -> None:
    """A client leaves, the fill is parked, and the next client has upstream asked for the rest only."""
    with ranged(DATA, hold_at=HELD) as upstream:
        regproxy = twist_regproxy(remote(upstream.url, 'landing = "park"'))
        spool = regproxy.data_dir / "store" / "spool"
        with socket.create_connection(("127.0.0.1", regproxy.port)) as client:
            client.sendall(b"GET /files/big HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_until(lambda: any(path.stat().st_size >= HELD for path in spool.iterdir()))
        wait_until(lambda: any(path.read_bytes().endswith(b"kept\n") for path in spool.glob("*.extents")))
        upstream.manner.released.set()
        assert get(regproxy, "/files/big") == (200, DATA)
        assert [sent.status for sent in upstream.sent] == [200, 206]
        wait_until(lambda: not list(spool.iterdir()))
