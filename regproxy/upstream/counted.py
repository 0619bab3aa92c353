"""Counts an upstream's answers and failures, so that trouble with it is seen where operators look."""

from typing import Protocol

from attrs import define
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from regproxy.upstream.interface import Question, Reply, Upstream


class Counter(Protocol):
    """Where it is counted."""

    def upstream_answered(self, repository: str, status: int, seconds: float) -> None:
        """An upstream has sent its headers."""

    def upstream_failed(self, repository: str) -> None:
        """An upstream did not answer."""


@define(eq=False)
class Counted:
    """An ``Upstream`` in front of another one; ``repository`` is the label."""

    _upstream: Upstream
    _repository: str
    _counter: Counter
    _clock: IReactorTime

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
        began = self._clock.seconds()
        try:
            reply = await self._upstream.ask(question)
        except CancelledError:
            raise
        except Exception:
            self._counter.upstream_failed(self._repository)
            raise
        self._counter.upstream_answered(self._repository, reply.status, self._clock.seconds() - began)
        return reply

    async def close(self) -> None:
        """See ``Upstream``."""
        await self._upstream.close()
