"""Looks for items in every repository that a client sees, and hands on those that he may read, page by page."""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence

from attrs import frozen

from regproxy.index.interface import Sum
from regproxy.index.interface_findings import Findings
from regproxy.model.access import Action
from regproxy.model.counts import Count
from regproxy.model.finding import Finding, Found
from regproxy.stream.pool import WriterPool
from regproxy.web.catalog import Catalog
from regproxy.web.request import ProxyRequest
from regproxy.web.serving import Served

SECONDS = 30.0


def name_of(served: Served) -> str:
    """What its items are found under: of a remote, its companion's key."""
    key = served.owner.key
    return f"{key}-cache" if served.owner.rclass == "remote" else key


@frozen(eq=False)
class Looking:
    """One for a server; ``readers`` are the threads in which an index is searched."""

    _catalog: Catalog
    _findings: Findings
    readers: WriterPool

    def counts(self) -> Sequence[Count]:
        """How much each repository holds. Blocks."""
        return self._findings.counts()

    def held(self) -> Sum:
        """The blobs of the store."""
        return self._findings.held()

    def places(self, request: ProxyRequest, keys: Collection[str] = ()) -> Mapping[str, Served]:
        """Where he may look, by the keys that an index knows; a remote may be meant by its own key or its companion's."""
        seen = (served.seen_by(request) for served in self._catalog)
        return {
            served.owner.key: served
            for served in seen
            if served is not None and (not keys or served.owner.key in keys or name_of(served) in keys)
        }

    async def pages(
        self, request: ProxyRequest, finding: Finding, places: Mapping[str, Served]
    ) -> AsyncGenerator[Sequence[Found], None]:
        """What was found there, until he leaves. Whoever breaks off closes it."""
        names = {key: name_of(served) for key, served in places.items()}
        gone: list[object] = []
        request.notifyFinish().addBoth(gone.append)
        rows = await self.readers.run(lambda: self._findings.find(finding, names, SECONDS))
        try:
            while not gone and (page := await self.readers.run(rows.page)):
                yield [each for each in page if places[each.repository].permits(request, Action.READ, each.path)]
        finally:
            await self.readers.run(rows.close)
