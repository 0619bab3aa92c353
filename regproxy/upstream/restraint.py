"""Leaves an upstream alone for as long as it asked for, with 429 or 503 and ``Retry-After``.

A registry that has had enough of our manifests still gives blobs, so each ``Question.lane`` has a time of its own; what a host
says that a redirect led to concerns that host; and one remote's time concerns no other: their credentials, and what they may
ask for, differ. A 503 to a question for a part says nothing of whole bodies: it concerns further parts only.
"""

import math

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from regproxy.errors import Kind, RegproxyError
from regproxy.model.retry import retry_after
from regproxy.upstream.interface import Question, Reply, Upstream
from regproxy.upstream.origin import Origin, clean_url

KINDS = {429: Kind.UPSTREAM_BUSY, 503: Kind.UPSTREAM_DOWN}


@define(eq=False)
class Restrained:
    """An ``Upstream`` in front of another one."""

    _upstream: Upstream
    _clock: IReactorTime
    _until: dict[tuple[str, Origin], tuple[float, Kind]] = field(factory=dict, init=False)

    @property
    def name(self) -> str:
        """See ``Upstream``."""
        return self._upstream.name

    @property
    def assumed_offline(self) -> bool:
        """See ``Upstream``."""
        return self._upstream.assumed_offline

    @property
    def doubtful(self) -> bool:
        """See ``Upstream``."""
        return self._upstream.doubtful

    async def ask(self, question: Question) -> Reply:
        """See ``Upstream``."""
        lanes = [question.lane]
        if question.headers.first("range") is not None:
            lanes.append(f"{question.lane} parts")
        for lane in lanes:
            self._refuse(lane, Origin.of(clean_url(question.url)))
        reply = await self._upstream.ask(question)
        kind = KINDS.get(reply.status)
        seconds = retry_after(reply.headers)
        if kind is not None and seconds:
            place = lanes[-1] if kind is Kind.UPSTREAM_DOWN else lanes[0], Origin.of(reply.hops[-1].url)
            now = self._clock.seconds()
            self._until = {each: found for each, found in self._until.items() if found[0] > now}
            until, _ = self._until.get(place, (0.0, kind))
            self._until[place] = (max(until, now + seconds), kind)
        return reply

    async def close(self) -> None:
        """See ``Upstream``."""
        await self._upstream.close()

    def _refuse(self, lane: str, host: Origin) -> None:
        until, kind = self._until.get((lane, host), (0.0, Kind.UPSTREAM_DOWN))
        remaining = math.ceil(until - self._clock.seconds())
        if remaining > 0:
            text = f"{host} asked to be left alone for {remaining} s more"
            raise RegproxyError(kind, text, retry_after=remaining)
