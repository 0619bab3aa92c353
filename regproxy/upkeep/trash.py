"""Empties the trash can of what has lain there long enough."""

from attrs import define, field

from regproxy.index.interface_holdings import Holdings
from regproxy.model.trash import TRASH
from regproxy.repo.parts import Parts

PAGE = 500
FIRST_SECONDS = 120.0
BUSY_SECONDS = 1.0
IDLE_SECONDS = 3600.0


@define(eq=False)
class Retention:
    """One step looks at a page; ``seconds`` is how long files are kept."""

    _parts: Parts
    _holdings: Holdings
    _seconds: float
    _after: str = field(default="", init=False)

    async def step(self) -> float:
        """Look on; when to look again."""
        index = self._parts.index
        page = await self._parts.readers.run(lambda: index.nodes(TRASH, after=self._after, limit=PAGE))
        before = self._parts.clock.seconds() - self._seconds
        for node in page:
            if node.checked < before:  # which is when it was put there; another one may have taken its place by now
                await self._holdings.delete(TRASH, node.path, before)
        if len(page) == PAGE:
            self._after = page[-1].path
            return BUSY_SECONDS
        self._after = ""
        await self._holdings.prune(TRASH, "")
        return IDLE_SECONDS
