"""Makes the repositories that a configuration declares, and swaps them at a reload.

A repository that did not change is kept, with its connections, its health and its flights. One that was removed or replaced
goes on until its flights have landed; then its upstream is closed.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorCore

from regproxy.config_checks import AUTO
from regproxy.index.interface_holdings import Holdings
from regproxy.model.settings import Access, Configuration, RepositorySettings
from regproxy.model.trash import TRASH
from regproxy.repo.cached import Cached
from regproxy.repo.interface import Format, Repository
from regproxy.repo.interface_tidy import Tidying
from regproxy.repo.local import Local
from regproxy.repo.parts import Parts
from regproxy.repo.remote import Remote
from regproxy.repo.shelf import Shelf
from regproxy.repo.trash import Trash
from regproxy.repo.tree import Tree
from regproxy.repo.virtual import Virtual, flattened
from regproxy.stream.follower import Sending
from regproxy.stream.spawn import spawn
from regproxy.telemetry.metrics import Metrics
from regproxy.upstream.counted import Counted
from regproxy.upstream.interface import Upstream
from regproxy.upstream.restraint import Restrained
from regproxy.web.addresses import BaseUrl
from regproxy.web.catalog import Catalog, Table
from regproxy.web.gate import Gate
from regproxy.web.guard import Guard
from regproxy.web.serving import Served
from regproxy.web.virtual import VirtualServed

_CAN = RepositorySettings(key=TRASH, rclass="local", description="What was deleted.")

MakeUpstream = Callable[[IReactorCore, RepositorySettings, Configuration], Upstream]


@frozen
class Shared:
    """What all repositories are made with."""

    reactor: IReactorCore
    parts: Parts
    holdings: Holdings
    shelf: Shelf
    sending: Sending
    metrics: Metrics
    formats: Mapping[str, Format]
    make_upstream: MakeUpstream
    gate: Gate
    trash_days: float = 0

    @property
    def trash(self) -> Trash | None:
        """Where what is deleted goes; None for nowhere."""
        return Trash(self.parts, self.holdings) if self.trash_days else None


@define(eq=False)
class Repositories:
    """The repositories of the current configuration, and the catalog that finds them; iterating gives the remotes."""

    _shared: Shared
    catalog: Catalog = field(init=False)
    _remotes: dict[str, Remote] = field(factory=dict, init=False)
    _locals: dict[str, Local] = field(factory=dict, init=False)
    _leaving: dict[Remote, None] = field(factory=dict, init=False)

    @catalog.default
    def _empty(self) -> Catalog:
        return Catalog(Guard(Access(), self._shared.gate))

    def configure(
        self, configuration: Configuration, keep: frozenset[str], removed: frozenset[str] = frozenset()
    ) -> "Mapping[str, Deferred[object]]":
        """Serve what a configuration declares; those named in ``keep`` did not change and go on.

        Those that were ``removed`` for good take nothing in any more: what fires when nothing of them arrives either, by key.
        """
        before, shared = self._remotes, self._shared
        for key in removed & self._locals.keys():
            self._locals[key].close()
        self._locals = {
            settings.key: self._locals[settings.key]
            if settings.key in keep and settings.key in self._locals
            else Local(settings, shared.parts, shared.holdings, shared.shelf, shared.trash)
            for settings in configuration.repository
            if settings.rclass == "local"
        }
        shared.parts.room.eviction.kept = frozenset(self._locals)
        declared = [each for each in configuration.repository if each.rclass == "remote" and each.url != AUTO]
        self._remotes = {
            settings.key: before[settings.key]
            if settings.key in keep and settings.key in before
            else self._remote(settings, configuration)
            for settings in declared
        }
        self.catalog.swap(self._table(configuration))
        left = [remote for remote in before.values() if self._remotes.get(remote.key) is not remote]
        self._leaving.update(dict.fromkeys(left))
        ended = {remote.key: spawn(self._retire(remote), f"closing {remote.key}") for remote in left}
        return {key: ended[key] for key in removed & ended.keys()}

    def __iter__(self) -> Iterator[Remote]:
        return iter(list(self._remotes.values()))

    def tidied(self) -> list[tuple[Tidying, Tree]]:
        """What the local repositories hold out of which leftovers are removed, and by which format."""
        shared = self._shared
        found: list[tuple[Tidying, Tree]] = []
        for local in self._locals.values():
            by = shared.formats[local.settings.package_type]
            if isinstance(by, Tidying):
                found.append((by, Tree(local.key, shared.parts.index, shared.holdings, shared.parts.readers)))
        return found

    def flying(self) -> list[Remote]:
        """The remotes whose flights may be in the air: those that a reload has replaced, too."""
        return [*self._remotes.values(), *self._leaving]

    def spooling(self) -> int:
        """How many files of the spool are being written, at most.

        Of several processes each knows its own only, so that none can say that a file is nobody's.
        """
        if self._shared.parts.sharing.is_shared:
            return sys.maxsize
        return sum(len(remote.flights) for remote in self.flying())

    async def close(self) -> None:
        """Close every upstream."""
        for remote in self.flying():
            await remote.close()

    def _remote(self, settings: RepositorySettings, configuration: Configuration) -> Remote:
        shared = self._shared
        upstream = shared.make_upstream(shared.reactor, settings, configuration)
        polite = Restrained(Counted(upstream, settings.key, shared.metrics, shared.parts.clock), shared.parts.clock)
        return Remote(settings, shared.formats[settings.package_type], polite, shared.parts, shared.shelf)

    def _table(self, configuration: Configuration) -> Table:
        base_url = BaseUrl.of(configuration.server.base_url, configuration.server.trusted_proxies)
        guard = Guard(configuration.access, self._shared.gate)
        repositories: dict[str, Served] = {}
        companions: dict[str, Served] = {}
        for remote in self:
            held = Cached(remote, self._shared.parts, self._shared.shelf)
            companion = self._served(held, remote.settings, base_url, guard)
            companions[held.key] = companion
            repositories[remote.key] = self._served(remote, remote.settings, base_url, guard, companion)
        for local in self._locals.values():
            repositories[local.key] = self._served(local, local.settings, base_url, guard)
        for settings in configuration.repository:
            if settings.rclass == "virtual":
                repositories[settings.key] = self._virtual(settings, configuration, repositories, base_url, guard)
        can = Local(_CAN, self._shared.parts, self._shared.holdings, self._shared.shelf)
        companions[can.key] = self._served(can, _CAN, base_url, guard)
        return Table(repositories, companions, configuration.docker)

    def _virtual(
        self,
        settings: RepositorySettings,
        configuration: Configuration,
        repositories: Mapping[str, Served],
        base_url: BaseUrl,
        guard: Guard,
    ) -> Served:
        """Over those that are served: one whose upstream is not known yet can only be named."""
        every = {each.key: each for each in configuration.repository}
        virtuals = {key: each.repositories for key, each in every.items() if each.rclass == "virtual"}
        lit = {key: names for key, names in virtuals.items() if key == settings.key or not every[key].blacked_out}
        keys = flattened(settings.key, virtuals)
        shown = {key for key in flattened(settings.key, lit) if key in every and not every[key].blacked_out}
        members = tuple(repositories[key] for key in keys if key in repositories)
        unready = tuple(key for key in keys if key in shown and key not in repositories)
        make = partial(VirtualServed, served=members, dark=frozenset(keys) - shown, unready=unready)
        return self._served(Virtual(settings), settings, base_url, guard, make=make)

    def _served(
        self,
        repository: Repository,
        owner: RepositorySettings,
        base_url: BaseUrl,
        guard: Guard,
        companion: Served | None = None,
        make: Callable[..., Served] = Served,
    ) -> Served:
        shared = self._shared
        found = shared.formats[repository.settings.package_type]
        readers = shared.parts.readers
        tree = Tree(owner.key, shared.parts.index, shared.holdings, readers)
        return make(
            repository,
            found,
            tree,
            guard,
            owner,
            self.catalog,
            shared.sending,
            shared.shelf,
            readers,
            base_url,
            shared.metrics,
            companion,
        )

    async def _retire(self, remote: Remote) -> None:
        try:
            for flight in remote.flights:
                await flight.landed()
            await remote.close()
        finally:
            del self._leaving[remote]
