"""The repositories that there are now, by what an address says (``repo.interface.Find``).

A reload swaps the whole table; requests that are being answered keep what they found.
"""

from collections.abc import Iterator, Mapping

from attrs import define, field, frozen

from regproxy.model.settings import Docker
from regproxy.web.serving import Served


@frozen
class Table:
    """One generation: companions (``X-cache``) are apart, so that listings do not show them."""

    repositories: Mapping[str, Served]
    companions: Mapping[str, Served]
    docker: Docker


@define(eq=False)
class Catalog:
    """The current generation."""

    _table: Table = field(factory=lambda: Table({}, {}, Docker()))

    def swap(self, table: Table) -> None:
        """From now on, this."""
        self._table = table

    def __call__(self, key: str) -> Served | None:
        """The repository with this key."""
        return self._table.repositories.get(key) or self._table.companions.get(key)

    def for_upstream(self, host: str) -> Served | None:
        """The repository that a registry host is mapped to."""
        return self(self._table.docker.namespaces.get(host, ""))

    def default(self) -> Served | None:
        """The repository behind bare ``/v2/…``."""
        return self(self._table.docker.default_repository)

    def __iter__(self) -> Iterator[Served]:
        return iter(self._table.repositories.values())
