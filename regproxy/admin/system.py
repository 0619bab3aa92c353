"""``/api/system`` and ``/api/storageinfo``: what this server is, how it is set up, and how much it holds. For administrators.

Numbers are counted when they are asked for, in a thread; sizes are written for people, as scripts of this field expect.
"""

import platform
from collections.abc import Callable, Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from attrs import frozen

from regproxy import __version__
from regproxy.admin.desk import administrator
from regproxy.admin.looking import Looking, name_of
from regproxy.admin.repositories import configuration
from regproxy.admin.storage import render
from regproxy.model.counts import Count, human, share
from regproxy.model.settings import RepositorySettings
from regproxy.model.trash import TRASH
from regproxy.repo.interface import Text
from regproxy.web.catalog import Catalog
from regproxy.web.gate import Gate
from regproxy.web.request import ProxyRequest

Disk = Callable[[], tuple[int, int, int]]
"""Bytes of the store's disk: all, used, free. Blocks."""


@frozen(eq=False)
class System:
    """What is said of the whole server."""

    _catalog: Catalog
    _gate: Gate
    _looking: Looking
    _disk: Disk
    _collect: Callable[[], bool]

    def about(self, request: ProxyRequest) -> Text:
        """A few lines for people."""
        administrator(request, self._gate)
        lines = [f"regproxy {__version__}", f"Python {platform.python_version()}", platform.platform(), ""]
        return Text("\n".join(lines).encode(), "text/plain")

    def configuration(self, request: ProxyRequest) -> Text:
        """The repositories as XML, without secrets; to be read only."""
        administrator(request, self._gate)
        root = Element("config")
        for rclass in ("local", "remote", "virtual"):
            found = [each.owner for each in self._catalog if each.owner.rclass == rclass]
            kind = SubElement(root, f"{rclass}Repositories")
            for settings in sorted(found, key=lambda settings: settings.key):
                _write(SubElement(kind, f"{rclass}Repository"), configuration(settings))
        indent(root)
        return Text(tostring(root, encoding="utf-8", xml_declaration=True), "application/xml")

    def collect(self, request: ProxyRequest) -> Text:
        """Begin to collect what nothing points to."""
        administrator(request, self._gate)
        begun = "has begun" if self._collect() else "is under way already"
        return Text(f"The collection of garbage {begun}.\n".encode(), "text/plain")

    async def storage(self, request: ProxyRequest) -> Text:
        """How much there is, in all and by repositories."""
        administrator(request, self._gate)
        looking = self._looking
        counts, held = await looking.readers.run(looking.counts), looking.held()
        total, used, free = await looking.readers.run(self._disk)
        holding = [served for served in self._catalog if served.owner.rclass != "virtual"]
        known = {served.owner.key: (name_of(served), served.owner) for served in holding}
        rows = _rows(counts, known)
        files, folders, size = (sum(getattr(each, name) for each in counts) for name in ("files", "folders", "size"))
        everything = _row("TOTAL", "NA", Count("", files, folders, size), size) | {"projectKey": ""}
        return render(
            {
                "binariesSummary": {
                    "binariesCount": f"{held.blobs:,}",
                    "binariesSize": human(held.bytes),
                    "artifactsSize": human(size),
                    "optimization": share(held.bytes, size),
                    "itemsCount": f"{files + folders:,}",
                    "artifactsCount": f"{files:,}",
                },
                "fileStoreSummary": {
                    "storageType": "file-system",
                    "totalSpace": human(total),
                    "usedSpace": f"{human(used)} ({share(used, total)})",
                    "freeSpace": f"{human(free)} ({share(free, total)})",
                },
                "repositoriesSummaryList": [*rows, everything],
            }
        )


def _rows(counts: Sequence[Count], known: Mapping[str, tuple[str, RepositorySettings]]) -> list[dict[str, object]]:
    """One for each repository that there is, empty ones and the trash can too."""
    size = sum(each.size for each in counts)
    by_key = {each.repository: each for each in counts}
    rows = []
    for key, (name, settings) in sorted(known.items()):
        rclass = "CACHE" if settings.rclass == "remote" else "LOCAL"
        row = _row(name, rclass, by_key.get(key, Count(key, 0, 0, 0)), size)
        rows.append(row | {"packageType": settings.package_type, "projectKey": settings.project_key or "default"})
    if TRASH in by_key:
        rows.append(_row(TRASH, "NA", by_key[TRASH], size) | {"packageType": "Trash"})
    return rows


def _row(name: str, rclass: str, count: Count, size: int) -> dict[str, object]:
    return {
        "repoKey": name,
        "repoType": rclass,
        "foldersCount": count.folders,
        "filesCount": count.files,
        "usedSpace": human(count.size),
        "usedSpaceInBytes": count.size,
        "itemsCount": count.files + count.folders,
        "percentage": share(count.size, size),
    }


def _write(parent: Element, value: object) -> None:
    match value:
        case Mapping():
            for name, each in value.items():
                _write(SubElement(parent, str(name)), each)
        case list() | tuple():
            for each in value:
                _write(SubElement(parent, "value"), each)
        case bool():
            parent.text = "true" if value else "false"
        case _:
            parent.text = "".join(letter for letter in str(value) if letter.isprintable())
