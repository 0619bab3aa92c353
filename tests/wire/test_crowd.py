"""A crowd on one cold file: one fetch, and everybody who stays gets every byte.

``REGPROXY_FULL=1`` runs it with 200 clients and 256 MiB, as the promise is made; without it 50 clients and 16 MiB.
"""

import os
import random
from collections.abc import Callable

from tests.fakes import crowd
from tests.fakes.files import remote, serving
from tests.fakes.process import Regproxy

FULL = os.environ.get("REGPROXY_FULL") == "1"
CLIENTS, SIZE, SECONDS = (200, 256 << 20, 240.0) if FULL else (50, 16 << 20, 60.0)
RSS_LIMIT = 150_000_000


def test_one_fetch_for_a_crowd(twist_regproxy: Callable[..., Regproxy]) -> None:
    """Slow, leaving and late clients beside quick ones: one upstream GET, right bytes, flat memory."""
    # In pieces: randbytes cannot make more than 256 MiB at once.
    chance = random.Random(1)
    data = b"".join(chance.randbytes(1 << 20) for _ in range(SIZE >> 20))
    with serving({"/big.bin": data}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        clients = crowd.mixed(CLIENTS, SIZE, seed=2)
        crowd.run(regproxy.port, "/files/big.bin", data, clients, SECONDS)
        stayed = [client for client in clients if client.leave_at is None]
        assert {client.got for client in stayed} == {SIZE}
        assert not any(client.wrong for client in clients)
        assert upstream.asked["GET", "/big.bin"] == 1
        assert regproxy.peak_rss() < RSS_LIMIT
