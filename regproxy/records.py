"""What the server writes down, by ``[log]``: requests, what was asked upstream for them, and what happened.

One thread writes all of it. Nothing is made for a log that is off.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from attrs import define, field
from twisted.internet.posixbase import PosixReactorBase

from regproxy.model.settings import Log
from regproxy.stream.pool import WriterPool
from regproxy.telemetry import piped
from regproxy.telemetry.events import SECURITY, Event, Events
from regproxy.telemetry.lines import Lines
from regproxy.telemetry.log import Asked, Exchange, json_lines
from regproxy.telemetry.metrics import Metrics

_Form = Callable[[Sequence[Any]], bytes]


@define(eq=False)
class Records:
    """The logs of a process, from ``start`` to ``close``.

    Attributes:
        requests, exchanges: None while that log is off.
    """

    _thread: WriterPool
    requests: Lines[Asked] | None
    exchanges: Lines[Exchange] | None
    _happened: Lines[Event] | None
    _security: Lines[Event] | None
    events: Events = field(factory=Events, init=False)

    @classmethod
    def of(cls, reactor: PosixReactorBase, section: Log, metrics: Metrics) -> Self:
        """By the configuration."""
        thread = WriterPool(reactor, 1)

        def lines(how: str, file: str, form: Callable[[Any], str]) -> Lines[Any] | None:
            if how == "off":
                return None
            made: _Form = json_lines if how == "json" else piped.lines(form)
            return Lines(Path(file) if file else None, made, reactor, thread.run)

        split = section.audit == "jfrog"  # lines of two kinds, which no reader takes from one file
        records = cls(
            thread,
            lines(section.access, section.access_file, piped.asked),
            lines(section.request_out, section.request_out_file, piped.exchange),
            lines(section.audit, section.audit_file, piped.access),
            lines(section.audit, section.security_file or section.audit_file, piped.security) if split else None,
        )
        if records._happened is not None:
            records.events.listen(records._hear)
        metrics.watch("regproxy_log_dropped", "Lines of logs that were not written.", lambda: sum(log.dropped for log in records))
        return records

    def __iter__(self) -> Iterator[Lines[Any]]:
        every = (self.requests, self.exchanges, self._happened, self._security)
        return iter([each for each in every if each is not None])

    def _hear(self, event: Event) -> None:
        assert self._happened is not None
        (self._security if self._security is not None and event.event in SECURITY else self._happened).write(event)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def reopen(self) -> None:
        """Go on in new files: the logs were moved away."""
        for log in self:
            log.reopen()

    async def close(self) -> None:
        """Write the rest."""
        for log in self:
            await log.close()
        self._thread.stop()
