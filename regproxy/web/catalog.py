"""The repositories that there are now, by what an address says (``repo.interface.Find``).

A reload swaps the whole table; requests that are being answered keep what they found.
"""

from collections.abc import Iterator, Mapping
from typing import cast

from attrs import define, field, frozen
from twisted.web.iweb import IRequest

from regproxy.access.principal import Principal
from regproxy.errors import RegproxyError
from regproxy.model.settings import Docker
from regproxy.web.guard import Guard, no_repository
from regproxy.web.request import ProxyRequest
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

    _guard: Guard
    _table: Table = field(factory=lambda: Table({}, {}, Docker()), init=False)
    _hiding: tuple[Principal, Table, bool] | None = field(default=None, init=False)

    def swap(self, table: Table) -> None:
        """From now on, this."""
        self._table = table

    def __call__(self, key: str) -> Served | None:
        """The repository with this key."""
        return self._table.repositories.get(key) or self._table.companions.get(key)

    def find(self, key: str, request: IRequest) -> Served | None:
        """The repository as there is one for who asks."""
        served = self(key)
        return None if served is None else served.seen_by(request)

    def unknown(self, request: IRequest, key: str) -> RegproxyError:
        """What he hears of one that is not there, or not for him: who has shown nothing may have to log in to see it."""
        return no_repository(key) if self.admits(request) else self._guard.login(cast(ProxyRequest, request))

    def greet(self, request: IRequest) -> None:
        """Have a client log in that may see or do more then: registries' clients ask once, and never again."""
        ours = cast(ProxyRequest, request)
        if self._guard.has_shown(ours):
            return
        closed = any(served.owner.rclass == "local" and not served.guard.lets_change(ours) for served in self)
        if closed or self._guard.knows_people() or not self.admits(request):
            raise self._guard.login(ours)

    def admits(self, request: IRequest) -> bool:
        """Whether logging in would show him nothing new: he has, or there is nothing that is hidden from everybody."""
        ours = cast(ProxyRequest, request)
        principal = ours.principal
        if principal is None or self._guard.is_named(ours):
            return True
        if self._hiding is None or self._hiding[0] is not principal or self._hiding[1] is not self._table:
            hides = any(not self._guard.knows(ours, served.owner) for served in self)
            self._hiding = (principal, self._table, hides)
        return not self._hiding[2]

    def for_upstream(self, host: str) -> Served | None:
        """The repository that a registry host is mapped to."""
        return self(self._table.docker.namespaces.get(host, ""))

    def default(self) -> Served | None:
        """The repository behind bare ``/v2/…``."""
        return self(self._table.docker.default_repository)

    def __iter__(self) -> Iterator[Served]:
        return iter(self._table.repositories.values())
