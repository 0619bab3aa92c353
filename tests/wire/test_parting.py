"""A body that breaks while much of it is still with our kernel: the client gets that, and then a reset, never an end in order."""

import os
import select
import socket
import time
from functools import partial
from pathlib import Path
from typing import cast

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from regproxy.errors import Kind, RegproxyError
from regproxy.model.head import Head
from regproxy.model.ranges import Span
from regproxy.repo.interface import Body, Origin
from regproxy.stream.growing import GrowingBlob
from tests.fakes.site import Answering, Client, Stage

SIZE = 16 << 20
THERE = SIZE // 2
BREAKS = 0.3


def read(client: Client, *, half_closes: bool) -> tuple[bool, bool]:
    """Ask, read nothing until the body has broken, then all; whether the connection was there until then, and then reset."""
    client.send(b"GET /f HTTP/1.1\r\nHost: a\r\n\r\n")
    time.sleep(2 * BREAKS)
    poll = select.poll()
    poll.register(client.socket, 0)
    is_there = poll.poll(0) == []
    if half_closes:
        client.socket.shutdown(socket.SHUT_WR)
    try:
        while client.socket.recv(1 << 16):
            pass
    except ConnectionResetError:
        return is_there, True
    return is_there, False


@pytest.mark.parametrize("sendfile", [True, False])
@pytest.mark.parametrize("half_closes", [False, True])
@pytest_twisted.ensureDeferred
async def test_what_was_sent_arrives_before_the_reset(tmp_path: Path, *, sendfile: bool, half_closes: bool) -> None:
    """Also of a client that has said its last word meanwhile."""
    path = tmp_path / "blob"
    path.write_bytes(bytes(THERE))
    descriptor = os.open(path, os.O_RDONLY)
    blob = GrowingBlob.over(descriptor, SIZE, withheld=False)
    blob.wrote(Span(0, THERE))
    answer = Body(Head(SIZE, "application/zip"), blob.hold(), Origin.FILL, age=0)
    async with Stage(Answering(lambda _: answer, sendfile=sendfile)) as stage:
        reading = Deferred.fromCoroutine(stage.ask(partial(read, half_closes=half_closes), small=True))
        await deferLater(cast(IReactorTime, reactor), BREAKS, blob.fail, RegproxyError(Kind.UPSTREAM_DOWN, "cut"))
        assert await reading == (True, True)
    os.close(descriptor)
