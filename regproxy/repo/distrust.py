"""Paths of which wrong bytes came: for a while nobody resumes what he has of them; after a second time upstream has a pause.

Once may be bad luck on the way, and whoever asks next gets all of it anew. That it happened is told to all processes by the
index, before anybody is cut: his next request may come to another one. Whether it was the second time each knows by itself.
"""

from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorTime
from txaio.tx import make_logger

from regproxy.errors import RegproxyError
from regproxy.index.interface import Index

log = make_logger()

SECONDS = 600.0
PAUSE = 5.0  # pip tries again for longer than that


@frozen
class _Case:
    until: float
    again: bool = False
    paused: float = 0.0


_NONE = _Case(0.0)


@define(eq=False)
class Distrust:
    """Of one repository."""

    _key: str
    _index: Index
    _clock: IReactorTime
    _cases: dict[str, _Case] = field(factory=dict, init=False)

    async def came(self, path: str) -> None:
        """Wrong bytes came."""
        now = self._clock.seconds()
        self._cases = {known: case for known, case in self._cases.items() if case.until > now}
        paused = now + PAUSE if self._cases.get(path, _NONE).again else 0.0
        self._cases[path] = _Case(now + SECONDS, again=True, paused=paused)
        try:
            await self._index.distrust(self._key, path, now, now + SECONDS)
        except RegproxyError as error:
            log.error("{key}:{path}: other processes are not told of wrong bytes: {error}", key=self._key, path=path, error=error)  # noqa: TRY400 - one line

    def mended(self, path: str) -> None:
        """The right ones came; who has a part of the wrong ones may not resume all the same."""
        if path in self._cases:
            self._cases[path] = _Case(self._cases[path].until)

    def is_trusted(self, path: str) -> bool:
        """Whether what somebody has of it may be resumed."""
        until = max(self._cases.get(path, _NONE).until, self._index.distrusted(self._key, path))
        return until <= self._clock.seconds()

    def is_paused(self, path: str) -> bool:
        """Whether upstream is not to be asked for it now. Clients are not told until when: their users would wait for nothing."""
        return self._clock.seconds() < self._cases.get(path, _NONE).paused
