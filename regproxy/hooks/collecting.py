"""Queues what webhooks are to be told, a few at a time: an event costs its maker nothing but an entry in a list."""

from collections.abc import Callable, Sequence
from secrets import token_hex

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from txaio.tx import make_logger

from regproxy.errors import RegproxyError
from regproxy.hooks.letters import body_of, wants
from regproxy.index.interface_outbox import Letter, Outbox
from regproxy.model.settings import Webhook
from regproxy.stream.spawn import spawn
from regproxy.telemetry.events import Event

log = make_logger()

PERIOD = 0.05
PENDING = 2000
MOST = 10_000
"""Letters that wait for one target; what comes then is lost, and counted."""


@define(eq=False)
class Collecting:
    """Hears events. ``lost`` is told how many letters had no room, ``queued`` that there are new ones."""

    _outbox: Outbox
    _clock: IReactorTime
    _lost: Callable[[int], None]
    _queued: Callable[[], None]
    hooks: Sequence[Webhook] = ()
    _pending: list[Letter] = field(factory=list, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)

    def hear(self, event: Event) -> None:
        """Take one."""
        names = [hook.name for hook in self.hooks if wants(hook, event)]
        if not names:
            return
        if len(self._pending) >= PENDING:
            self._lost(len(names))
            return
        name, body = f"evt_{token_hex(12)}", body_of(event)
        self._pending += [Letter(target, name, event.ts, body) for target in names]
        if self._timer is None:
            self._timer = self._clock.callLater(PERIOD, self._due)

    def _due(self) -> None:
        self._timer = None
        spawn(self.flush(), "queueing what webhooks are told")

    async def flush(self) -> None:
        """Queue what was heard so far."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        letters, self._pending = self._pending, []
        if not letters:
            return
        try:
            lost = await self._outbox.put(letters, MOST)
        except RegproxyError as error:
            log.error("webhooks are not told of {count} events: {error}", count=len(letters), error=error.text)  # noqa: TRY400 - one line
            lost = len(letters)
        if lost:
            self._lost(lost)
        self._queued()
