"""Notes each exchange with an upstream, with the request that it is for: the request-out log."""

import time
from typing import Protocol, Self
from urllib.parse import urlsplit

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from regproxy.telemetry.cause import CAUSE, Cause
from regproxy.telemetry.log import Exchange


class Keep(Protocol):
    """Where it is written."""

    def write(self, entry: Exchange, /) -> None:
        """Take one."""


@define(eq=False)
class Noting:
    """Of one remote."""

    _repository: str
    _clock: IReactorTime
    _keep: Keep

    def begin(self, method: str, url: str) -> "Note":
        """A request is about to be sent."""
        return Note(self._repository, self._clock, self._keep, method, url, self._clock.seconds(), CAUSE.get())


@define(eq=False)
class Note:
    """One exchange, until it is ended; what ends it twice is passed over."""

    _repository: str
    _clock: IReactorTime
    _keep: Keep
    _method: str
    _url: str
    _began: float
    _cause: Cause
    _status: int = field(default=0, init=False)
    _ttfb: float | None = field(default=None, init=False)
    _ended: bool = field(default=False, init=False)

    def answered(self, status: int) -> Self:
        """The headers are there."""
        self._status, self._ttfb = status, round(self._clock.seconds() - self._began, 6)
        return self

    def end(self, received: int = 0, error: str = "") -> None:
        """Nothing more comes."""
        if self._ended:
            return
        self._ended = True
        duration, parts = self._clock.seconds() - self._began, urlsplit(self._url)
        url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._keep.write(
            Exchange(
                ts=time.time(),  # as in the request log
                request_id=self._cause.request_id,
                user=self._cause.user,
                repository=self._repository,
                method=self._method,
                url=url,
                status=self._status,
                bytes=received,
                duration=round(duration, 6),
                ttfb=self._ttfb,
                error=error,
            )
        )
