"""Keeps the store within its limits, whatever was admitted: by several processes, or of unknown length.

A job step at a time: the limits of the repositories, that of the store, and the reserve of the disk. Then what nobody has used
for longer than its repository says (``unusedArtifactsCleanupPeriodHours``).
"""

from collections.abc import Callable, Iterable
from functools import partial

from attrs import define, field
from txaio.tx import make_logger

from regproxy.errors import RegproxyError
from regproxy.index.interface import Sum
from regproxy.model.settings import RepositorySettings
from regproxy.repo.eviction import PAGE
from regproxy.repo.parts import Parts

log = make_logger()

SECONDS = 10.0
TROUBLED_SECONDS = 2.0
UNUSED_SECONDS = 3600.0
HOUR = 3600.0

# At one step; the next follows at once.
MOST = 256 << 20


@define(eq=False)
class Limits:
    """The job "space".

    Attributes:
        held: what the store held when it was looked at last, for whoever shows it.
    """

    _parts: Parts
    _repositories: Callable[[], Iterable[RepositorySettings]]
    held: Sum = field(default=Sum(), init=False)

    async def step(self) -> float:
        """Evict a little, if something is over."""
        try:
            freed = await self._evict()
        except (RegproxyError, OSError) as error:
            detail = error.detail if isinstance(error, RegproxyError) else ""
            log.error("the limits cannot be kept to: {error!r} {detail}", error=error, detail=detail)  # noqa: TRY400 - said
            freed = 0
        self.held = self._parts.index.held()
        if freed:
            return 0.0
        return SECONDS if self._parts.room.trouble is None else TROUBLED_SECONDS

    async def _evict(self) -> int:
        room, freed = self._parts.room, 0
        for settings in self._repositories():
            if room.over(settings):
                freed += await room.eviction.shrink(settings.key, partial(room.over, settings), MOST)
        if over := room.over():  # of uploads alone, perhaps: what is cached goes all the same
            freed += await room.eviction.free(min(over, MOST), least=1)
        if lacking := await self._parts.writers.run(room.lacking):  # each time it is asked whether there is as much at all
            freed += await room.eviction.free(lacking, most=max(MOST, lacking // 4))
        return freed


@define(eq=False)
class Unused:
    """The job "unused": a page of nodes at a step."""

    _parts: Parts
    _repositories: Callable[[], Iterable[RepositorySettings]]

    async def step(self) -> float:
        """Remove some of what is too old, if there is any."""
        index, eviction = self._parts.index, self._parts.room.eviction
        now = self._parts.clock.seconds()
        for settings in self._repositories():
            hours = settings.unused_artifacts_cleanup_period_hours
            if not hours:
                continue
            before = now - hours * HOUR
            uses = await self._parts.readers.run(lambda: index.least_used_in(settings.key, before))  # noqa: B023 - awaited here
            gone = [use for use in uses if await eviction.release(use, "unused")]
            if len(uses) == PAGE and gone:
                return 0.0
        return UNUSED_SECONDS
