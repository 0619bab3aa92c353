"""Both ways of sending keep to their share of a turn, counted in turns of a real reactor."""

import hashlib
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.task import Clock, LoopingCall

from regproxy.model.head import Head
from regproxy.repo.interface import Answer, Body, Origin
from regproxy.store.disk import DiskStore
from regproxy.stream.follower import Sending
from regproxy.stream.stored import StoredBlob
from regproxy.stream.turns import Turns
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import Responder
from tests.fakes.remote import InlinePool
from tests.fakes.site import Answering, Client, Stage, reactor, shape

DATA = random.Random(3).randbytes(1 << 20)
SHARE = 100_000


class Stingy(Turns):
    """Gives everybody the same, however few there are."""

    def share(self, most: int) -> int:
        """Less than anybody would like."""
        return min(most, SHARE)


@pytest.mark.parametrize("sendfile", [True, False])
@pytest_twisted.ensureDeferred
async def test_bytes_of_a_turn(tmp_path: Path, *, sendfile: bool) -> None:
    """No turn sends more than the share, and the client gets everything."""
    store = DiskStore(tmp_path)
    name = hashlib.sha256(DATA).hexdigest()
    writer = store.create(len(DATA))
    writer.write_at(0, [DATA])
    writer.commit(name, durable=False)
    requests: list[ProxyRequest] = []
    turns: list[int] = []

    def answer(request: ProxyRequest) -> Answer:
        requests.append(request)
        reader = store.open(name)
        assert reader is not None
        return Body(Head(len(DATA), "application/octet-stream"), StoredBlob(reader, lambda: None), Origin.HIT)

    def fetch(client: Client) -> Any:
        client.send(b"GET /f HTTP/1.1\r\nHost: a\r\n\r\n")
        return client.reply().body

    counting = LoopingCall(lambda: turns.append(sum(request.sentLength for request in requests)))
    counting.start(0)  # once in each turn
    answering = Answering(answer)
    answering.responder = Responder(Sending(reactor, InlinePool(), sendfile, turns=Stingy(Clock())), shape)
    async with Stage(answering) as stage:
        assert await stage.ask(fetch) == DATA
    counting.stop()
    steps = [after - before for before, after in pairwise(turns)]
    assert sum(steps) == len(DATA)
    # ``_Copying`` may be called twice in a turn: by its timer, and by the transport that has room again.
    assert max(steps) <= (SHARE if sendfile else 2 * SHARE)
