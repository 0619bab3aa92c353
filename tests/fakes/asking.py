"""What tests of upstreams share: settings, a consumer that counts and pauses, and a body read to its end."""

from attrs import define, field
from twisted.internet.interfaces import IPushProducer

from regproxy.model.settings import Configuration, RepositorySettings
from regproxy.upstream.client import HttpUpstream, make_upstream
from regproxy.upstream.interface import Question, Reply


@define(eq=False)
class Bucket:
    """A consumer that keeps what it gets; ``pause_at`` bytes it pauses its producer, once."""

    pause_at: int | None = None
    data: bytearray = field(factory=bytearray, init=False)
    producer: IPushProducer | None = field(default=None, init=False)

    def start(self, producer: IPushProducer) -> None:
        """Note whom to pause."""
        self.producer = producer

    def write(self, data: bytes) -> None:
        """Keep."""
        self.data += data
        if self.pause_at is not None and len(self.data) >= self.pause_at:
            self.pause_at = None
            self.resumable.pauseProducing()

    @property
    def resumable(self) -> IPushProducer:
        """The producer, once there is one."""
        assert self.producer is not None, "start was not called"
        return self.producer


def settings_for(url: str, **more: object) -> RepositorySettings:
    """A remote of a test."""
    return RepositorySettings(key="test", rclass="remote", url=url, **more)  # type: ignore[arg-type] # names are checked by msgspec


def upstream_for(reactor: object, url: str, configuration: Configuration | None = None, **more: object) -> HttpUpstream:
    """Its upstream; the proxies of whoever runs the tests are not asked."""
    more.setdefault("disable_proxy", "proxy" not in more)
    return make_upstream(reactor, settings_for(url, **more), configuration or Configuration())


async def read(reply: Reply) -> bytes:
    """The whole body."""
    bucket = Bucket()
    await reply.source.deliver(bucket)
    return bytes(bucket.data)


async def get(upstream: HttpUpstream, url: str, **more: object) -> tuple[int, bytes]:
    """Status and body of one question."""
    reply = await upstream.ask(Question(url, **more))  # type: ignore[arg-type] # as above
    return reply.status, await read(reply)
