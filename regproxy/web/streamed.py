"""A response that is made while it is sent, piece by piece: the next one when the client has taken the last one.

Nothing is sent before there is a first piece: until then it may become a refusal. After that a mistake cuts the connection, so
that nobody takes for the whole what is a part. A client that takes nothing for ``STALL`` seconds is let go of.
"""

from collections.abc import AsyncIterator, Mapping

from attrs import define, field
from twisted.internet.interfaces import IPushProducer, IReactorTime

from regproxy.stream.follower import STALL
from regproxy.stream.idle import IdleWatch
from regproxy.stream.pulled import Pulled
from regproxy.web.request import ProxyRequest


@define(eq=False)
class _Client:
    """A ``Consumer``."""

    _request: ProxyRequest
    _headers: Mapping[str, str]
    _watch: IdleWatch = field(init=False)
    _clock: IReactorTime

    def __attrs_post_init__(self) -> None:
        self._watch = IdleWatch(self._clock, STALL, self._stalled)

    def start(self, producer: IPushProducer) -> None:
        self._request.registerProducer(producer, streaming=True)
        self._watch.start()

    def write(self, data: bytes) -> None:
        if not self._request.startedWriting:
            for name, value in self._headers.items():
                self._request.setHeader(name, value)
        self._watch.note(1)
        self._request.write(data)

    def end(self) -> None:
        self._watch.stop()
        if not self._request.is_gone:
            self._request.unregisterProducer()

    def _stalled(self) -> None:
        self._request.cut()


async def send_pieces(
    request: ProxyRequest, headers: Mapping[str, str], pieces: AsyncIterator[bytes], clock: IReactorTime
) -> None:
    """Send all of them, under these headers; returns when the last one is with the transport, or the client has gone."""
    client = _Client(request, headers, clock)
    try:
        await Pulled(None, pieces).deliver(client)
    finally:
        client.end()
