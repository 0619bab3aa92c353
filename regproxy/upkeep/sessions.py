"""Gives up uploads in pieces that nobody has gone on with for long."""

from attrs import define

from regproxy.model.session import Session
from regproxy.repo.parts import Parts

FIRST_SECONDS = 60.0
EVERY = 900.0


@define(eq=False)
class Abandoned:
    """Removes sessions to which nothing was written for ``seconds``."""

    _parts: Parts
    _seconds: float

    async def step(self) -> float:
        """Look at all that nobody is writing to."""
        since = self._parts.clock.seconds() - self._seconds
        await self._parts.readers.run(lambda: self._give_up(since))
        return min(EVERY, self._seconds)

    def _give_up(self, since: float) -> None:
        store = self._parts.store
        for left in store.left():
            if left.modified < since and Session.from_json(left.about) is not None:
                writer = store.resume(left.name, None)
                if writer is not None:
                    writer.abort()
