"""A listener that speaks TLS: versions, protocols, sessions that are taken up again, and bodies."""

import socket
import ssl
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from attrs import frozen
from twisted.internet.threads import deferToThread
from twisted.web.resource import Resource

from regproxy.listeners import TLSEndpoint
from regproxy.model.settings import Listener
from regproxy.web.request import ProxyRequest
from regproxy.web.site import ProxySite
from tests.fakes.certificates import Authority

BODY = bytes(range(256)) * 4096


class Large(Resource):
    """Answers with more than one record."""

    isLeaf = True  # noqa: N815 - Twisted's name

    def render(self, request: ProxyRequest) -> bytes:
        """All at once."""
        request.setHeader("content-length", str(len(BODY)))
        return BODY


@frozen
class Seen:
    """What a client saw of its connection."""

    version: str | None
    protocol: str | None
    reused: bool
    session: Any
    body: bytes


def ask(port: int, context: ssl.SSLContext, session: Any = None) -> Seen:
    """One request; blocks."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost", session=session) as wrapped,
    ):
        wrapped.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        data = b""
        while more := wrapped.recv(65536):
            data += more
        body = data.partition(b"\r\n\r\n")[2]
        return Seen(wrapped.version(), wrapped.selected_alpn_protocol(), bool(wrapped.session_reused), wrapped.session, body)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest_twisted.ensureDeferred
async def test_a_session_is_taken_up_again(tmp_path: Path, version: ssl.TLSVersion) -> None:
    """The second connection of a client costs no second exchange of certificates; HTTP/1.1 is agreed on."""
    from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

    authority = Authority.make(tmp_path)
    pair = authority.server()
    endpoint = TLSEndpoint(
        cast(Any, reactor), Listener(address="127.0.0.1:0", certificate=str(pair.certificate), key=str(pair.key))
    )
    port: Any = await endpoint.listen(ProxySite(Large(), cast(Any, reactor), lambda _: None))
    context = ssl.create_default_context(cafile=str(authority.path))
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        first = await deferToThread(ask, port.getHost().port, context)
        second = await deferToThread(ask, port.getHost().port, context, first.session)
    finally:
        await port.stopListening()
    assert (first.protocol, first.reused, second.reused) == ("http/1.1", False, True)
    assert first.body == second.body == BODY
