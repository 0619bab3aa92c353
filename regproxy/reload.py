"""Reads the configuration again: one reload at a time, however many SIGHUPs come while it runs.

A configuration with mistakes, or with changes that need a restart, changes nothing at all.
"""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from txaio.tx import make_logger

from regproxy.config import ConfigurationError, load
from regproxy.config_changes import changed
from regproxy.model.settings import Configuration
from regproxy.notify import Notify
from regproxy.stream.spawn import spawn

log = make_logger()


class NotAppliedError(Exception):
    """A configuration without mistakes could not be brought into use; what was in force still is."""


Apply = Callable[[Configuration, frozenset[str]], Coroutine[Any, Any, None]]
"""Serve a configuration; the keys are those of repositories that did not change."""


@define(eq=False)
class Reload:
    """Holds the configuration that is in force; without a path somebody else reads it for this process."""

    configuration: Configuration
    _path: Path | None
    _apart: "Callable[[Callable[[], Configuration]], Deferred[Configuration]]"
    _apply: Apply
    _notify: Notify
    _running: bool = field(default=False, init=False)
    _again: bool = field(default=False, init=False)

    def __call__(self) -> None:
        """Reload, now or when the reload that runs has ended."""
        if self._running:
            self._again = True
        elif self._path is not None:
            self._running = True
            spawn(self._run(), "reloading")

    async def _run(self) -> None:
        self._notify.reloading()
        try:
            await self._once()
        finally:
            self._running = False
            if self._again:
                self._again = False
                self()
            else:
                self._notify.ready("serving")

    async def _once(self) -> None:
        path = self._path
        assert path is not None
        try:
            new = await self._apart(lambda: load(path))
        except ConfigurationError as error:
            log.error("the configuration was not reloaded: {error}", error=error)  # noqa: TRY400 - the lines are the message
            return
        changes = changed(self.configuration, new)
        if changes.refused:
            log.error("the configuration was not reloaded: {lines}", lines="; ".join(changes.refused))
            return
        same = {settings.key for settings in new.repository} - set(changes.added) - set(changes.replaced)
        try:
            await self._apply(new, frozenset(same))
        except NotAppliedError as error:
            log.error("the configuration was not reloaded: {error}", error=error)  # noqa: TRY400 - it says what there is to say
            return
        self.configuration = new
        log.info("the configuration was reloaded")
