"""Sends at once: past Twisted's write buffer, while that is empty, and without a turn of the event loop.

Twisted puts every byte into a buffer, asks epoll to say when the socket takes it, and asks it to stop saying so: for a small
answer that costs as much as the answer. What the socket does not take, and everything on other transports, goes the usual way,
so that order, back-pressure and the discovery of a lost connection stay Twisted's.
"""

from typing import Any

from twisted.internet import tcp

_PLAIN = (tcp.Server, tcp.Client)


def send_at_once(transport: Any, data: bytes) -> None:
    """Write to a transport, in its order."""
    sent = _send(transport, data) if _is_idle(transport) else 0
    if sent < len(data):
        transport.write(data[sent:] if sent else data)


def _is_idle(transport: Any) -> bool:
    """A plain TCP connection that is up and has nothing left to send; the names are pinned by tests/wire/test_sendfile.py."""
    return bool(
        type(transport) in _PLAIN
        and not transport.TLS
        and transport.connected
        and not transport.disconnecting
        and not transport._writeDisconnected  # noqa: SLF001 - see above
        and not transport.dataBuffer
        and not transport._tempDataLen  # noqa: SLF001 - see above
    )


def _send(transport: Any, data: bytes) -> int:
    try:
        sent: int = transport.socket.send(data)
    except OSError:  # full, or lost: the transport finds out which
        return 0
    return sent
