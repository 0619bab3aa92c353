"""Puts webhooks into the server: events go into the queue of the index, and the process that runs the jobs delivers them."""

from collections.abc import Callable
from typing import Any

from attrs import define, field

from regproxy.errors import RegproxyError
from regproxy.hooks.collecting import Collecting
from regproxy.hooks.delivering import Delivering
from regproxy.hooks.sending import Sender
from regproxy.index.sqlite_outbox import SqliteOutbox
from regproxy.jobs import Job
from regproxy.model.settings import Configuration
from regproxy.telemetry.events import Events
from regproxy.telemetry.metrics import Metrics

NAME = "webhooks"


@define(eq=False)
class Telling:
    """One for a process, from the first ``serve`` to ``close``."""

    _reactor: Any
    _outbox: SqliteOutbox
    _events: Events
    _metrics: Metrics
    _nudge: Callable[[str], None]
    _collecting: Collecting = field(init=False)
    _delivering: Delivering = field(init=False)
    _listens: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._delivering = Delivering(self._outbox, self._reactor, self._metrics.told)
        self._collecting = Collecting(self._outbox, self._reactor, self._metrics.untold, lambda: self._nudge(NAME))

    def job(self) -> Job:
        """What is done by one process of several."""
        return Job(NAME, self._delivering.step, 1.0)

    def serve(self, configuration: Configuration) -> None:
        """Tell those whom a configuration names; what waits for others is dropped when they have left it."""
        hooks = configuration.webhook
        self._outbox.forget([hook.name for hook in hooks]).addErrback(lambda failure: failure.trap(RegproxyError))
        if not hooks and not self._listens:
            return
        try:
            senders = {hook.name: Sender.of(self._reactor, hook, configuration) for hook in hooks}
        except RegproxyError as error:
            raise RegproxyError(error.kind, f"webhook: {error.text}", detail=error.detail) from error
        self._collecting.hooks = hooks
        self._delivering.configure(senders)
        if not self._listens:
            self._listens = True
            self._events.listen(self._collecting.hear)
            self._metrics.watch("regproxy_webhook_waiting", "What webhooks have not heard yet.", self._waiting, "largest")

    def _waiting(self) -> float:
        return self._delivering.waiting

    def withdraw(self) -> None:
        """Another process delivers from now on."""
        self._delivering.pause()

    async def close(self) -> None:
        """Queue what was heard; it is delivered by the next run."""
        await self._delivering.close()
        await self._collecting.flush()
