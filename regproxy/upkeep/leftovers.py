"""Lets formats remove from local repositories what was sent there and never used."""

from collections.abc import Callable, Iterable

from attrs import define
from twisted.internet.interfaces import IReactorTime
from txaio.tx import make_logger

from regproxy.repo.interface_tidy import Tidying
from regproxy.repo.tree import Tree

log = make_logger()

FIRST_SECONDS = 5.0
EVERY = 3600.0


@define(eq=False)
class Leftovers:
    """The job "leftovers": all repositories at a step; one with trouble does not keep the others waiting."""

    _clock: IReactorTime
    _repositories: Callable[[], Iterable[tuple[Tidying, Tree]]]

    async def step(self) -> float:
        """Look at each."""
        for by, tree in self._repositories():
            try:
                await by.tidy(tree, self._clock.seconds())
            except Exception:  # noqa: BLE001 - whatever it is, it is this repository's
                log.failure("leftovers of {key} stay for now: {log_failure.value!r}", key=tree.key)
        return EVERY
