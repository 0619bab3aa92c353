"""The repositories of a server without a server: what would be served is noted."""

from collections.abc import Mapping
from typing import Any, cast

from attrs import define, field
from twisted.internet.defer import Deferred

from regproxy.declared import Declared
from regproxy.formats_found import find_formats
from regproxy.index.memory_declarations import MemoryDeclarations
from regproxy.model.settings import Configuration


@define(eq=False)
class Noted:
    """In place of the repositories; the last configuration, what was kept of the one before, and what nobody has let go yet."""

    configuration: Configuration = field(factory=Configuration)
    kept: frozenset[str] = frozenset()
    busy: dict[str, Deferred[object]] = field(factory=dict)

    def configure(
        self, configuration: Configuration, keep: frozenset[str], removed: frozenset[str] = frozenset()
    ) -> Mapping[str, Deferred[object]]:
        """Note it."""
        self.configuration, self.kept = configuration, keep
        return {key: self.busy[key] for key in removed & self.busy.keys()}

    @property
    def keys(self) -> list[str]:
        """What would be served."""
        return [settings.key for settings in self.configuration.repository]


def declared(noted: Noted | None = None, declarations: MemoryDeclarations | None = None) -> Declared:
    """Over an index in memory, which knows no rights."""

    async def forget(_: str) -> None:
        pass

    return Declared(cast(Any, noted or Noted()), declarations or MemoryDeclarations(), find_formats(), forget)
