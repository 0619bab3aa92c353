"""Clients that take nothing: how many responses of one client stand still at a time.

A response that stands still holds a descriptor, a connection and what the kernel has queued for it. One client may hold a few;
who holds more of them than is allowed loses the one that stopped last: he cannot take the server's places from the others.
"""

import fcntl
import socket
import struct
import termios
from collections.abc import Callable

from attrs import define, field


@define(eq=False)
class Stalls:
    """Counts stalled responses by client; a limit of 0 is none, and a client without a name has none."""

    limit: int = 0
    _refused: Callable[[], None] = field(default=lambda: None)
    _by_client: dict[str, int] = field(factory=dict, init=False)

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self._by_client.values())

    def enter(self, client: str) -> bool:
        """One more stands still; False if that is one too many, and it is not counted."""
        there = self._by_client.get(client, 0)
        if client and 0 < self.limit <= there:
            self._refused()
            return False
        self._by_client[client] = there + 1
        return True

    def leave(self, client: str) -> None:
        """It goes on, or has ended."""
        left = self._by_client[client] - 1
        if left:
            self._by_client[client] = left
        else:
            del self._by_client[client]


def untaken(connection: socket.socket) -> int:
    """Bytes that the kernel still has for the other side: a slow client takes of these while we have nothing to do."""
    answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
    return int(struct.unpack("i", answer)[0])
