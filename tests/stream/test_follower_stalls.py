"""A client that takes nothing, by a clock: counted, limited, and dropped in the end."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from regproxy.stream.follower import LOOK, STALL, ClientGone, Sending, follow
from regproxy.stream.stalls import Stalls
from regproxy.stream.stored import StoredBlob
from tests.fakes.remote import InlinePool

SIZE = 4 << 20


@define(eq=False)
class Client:
    """A request whose client takes one piece and then stops, until it is told to go on."""

    accountable: str
    sentLength: int = 0  # noqa: N815 - Twisted's name
    producer: Any = None
    aborted: bool = False
    transport: Any = field(init=False)
    channel: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.channel, self.transport = self, self

    def registerProducer(self, producer: object, streaming: bool) -> None:  # noqa: FBT001, N802 - Twisted's
        """Note it."""
        self.producer = producer

    def unregisterProducer(self) -> None:  # noqa: N802 - Twisted's name
        """No more."""

    def abortConnection(self) -> None:  # noqa: N802 - Twisted's name
        """It is cut."""
        self.aborted = True

    def write(self, data: bytes) -> None:
        """Take one piece, and stop."""
        self.sentLength += len(data)
        self.producer.pauseProducing()


@define(eq=False)
class File:
    """A blob."""

    descriptor: int
    size: int = SIZE

    def fileno(self) -> int:
        """Its descriptor."""
        return self.descriptor

    def close(self) -> None:
        """It is the test's."""


@pytest.fixture
def blob(tmp_path: Path) -> Iterator[StoredBlob]:
    """Some bytes."""
    (tmp_path / "f").write_bytes(bytes(SIZE))
    descriptor = os.open(tmp_path / "f", os.O_RDONLY)
    yield StoredBlob(cast(Any, File(descriptor)), lambda: None)
    os.close(descriptor)


def begin(client: Client, blob: StoredBlob, clock: Clock, stalls: Stalls) -> "tuple[Deferred[None], list[object]]":
    """Follow, as a coroutine that runs; the list gets how it ended."""
    sending = Sending(clock, InlinePool(), sendfile=False, stalls=stalls)
    ended: list[object] = []
    running = Deferred.fromCoroutine(follow(cast(Any, client), blob, None, sending))
    return running.addBoth(ended.append), ended


def test_counted_while_it_lasts(blob: StoredBlob) -> None:
    """From the first look that saw nothing taken to the next byte."""
    clock, stalls, client = Clock(), Stalls(), Client("a")
    begin(client, blob, clock, stalls)
    clock.advance(LOOK)  # it took something in this time
    assert stalls.count == 0
    clock.advance(LOOK)
    assert stalls.count == 1
    client.producer.resumeProducing()
    assert stalls.count == 0


def test_one_too_many_is_cut(blob: StoredBlob) -> None:
    """The last to stop of that client's; another client's is not."""
    clock, stalls = Clock(), Stalls(1)
    clients = [Client("a"), Client("a"), Client("b"), Client("")]
    endings = [begin(client, blob, clock, stalls)[1] for client in clients]
    clock.pump([LOOK, LOOK])
    assert [False, True, False, False] == [client.aborted for client in clients]
    assert cast(Any, endings[1][0]).check(ClientGone)
    assert stalls.count == 3


def test_dropped_in_the_end(blob: StoredBlob) -> None:
    """After a quarter of an hour without a byte, and counted no more."""
    clock, stalls, client = Clock(), Stalls(), Client("a")
    begin(client, blob, clock, stalls)
    clock.pump([LOOK] * int(STALL / LOOK))
    assert not client.aborted
    clock.advance(LOOK)
    assert (client.aborted, stalls.count) == (True, 0)
