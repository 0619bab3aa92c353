"""Clients that take nothing."""

import socket

from regproxy.stream.places import Places
from regproxy.stream.stalls import Stalls, untaken


def test_one_client_has_a_few() -> None:
    """And whoever has no name has no limit."""
    refused: list[None] = []
    stalls = Stalls(2, lambda: refused.append(None))
    assert [stalls.enter("a") for _ in range(3)] == [True, True, False]
    assert [stalls.enter("") for _ in range(3)] == [True, True, True]
    assert (stalls.enter("b"), stalls.count, len(refused)) == (True, 6, 1)
    stalls.leave("a")
    assert stalls.enter("a")
    assert all(Stalls(0).enter("a") for _ in range(3))


def test_places() -> None:
    """Full with as many as there are; no limit is never full."""
    refused: list[None] = []
    places = Places(1, lambda: refused.append(None))
    assert not places.refuses()
    places.taken = 1
    assert (places.refuses(), len(refused)) == (True, 1)
    unlimited = Places()
    unlimited.taken = 10**6
    assert not unlimited.is_full


def test_what_the_kernel_still_has() -> None:
    """Less once the other side has read."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        sender, _ = server.accept()
        with sender:
            sender.setblocking(False)  # noqa: FBT003 - its signature
            sent = 0
            try:
                while True:
                    sent += sender.send(bytes(65536))
            except BlockingIOError:
                before = untaken(sender)
            assert 0 < before <= sent
            left = sent
            client.settimeout(10)
            while left:
                left -= len(client.recv(1 << 20))
            for _ in range(200):
                if untaken(sender) == 0:
                    break
                client.settimeout(0.05)
                try:
                    client.recv(1)
                except TimeoutError:
                    continue
            assert untaken(sender) == 0
