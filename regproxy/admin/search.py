"""``/api/search/…``: where files are, by names, checksums or properties. Only what the client may read is found.

With ``X-Result-Detail: info, properties`` each result says what is known of the item as well.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from attrs import frozen

from regproxy.admin.arguments import Arguments
from regproxy.admin.storage import render
from regproxy.errors import Kind, RegproxyError
from regproxy.model.access import Action
from regproxy.model.digest import Digest
from regproxy.model.node import Node
from regproxy.model.patterns import Patterns
from regproxy.model.properties import gathered
from regproxy.repo.interface import Serving, Text
from regproxy.web.catalog import Catalog
from regproxy.web.items import file_info, storage_uri
from regproxy.web.request import ProxyRequest
from regproxy.web.virtual import VirtualServed

MOST = 1000
MOST_PROPERTIES = 100
ALGORITHMS = ("sha256", "sha1", "md5")
Result = tuple[Serving, str]
_NAME = re.compile(r"[^,/]{1,255}")


@frozen(eq=False)
class Search:
    """Searches the repositories that ``repos`` names, or all."""

    _catalog: Catalog

    async def by_name(self, request: ProxyRequest) -> Text:
        """``?name=``: of a file, in which ``*`` and ``?`` stand for others."""
        arguments = Arguments.of(request.uri)
        name = arguments.first("name")
        if not _NAME.fullmatch(name) or name == "**":
            raise RegproxyError(Kind.INVALID, "name is that of a file, with * and ? for what is not known of it")
        patterns = Patterns.of(f"**/{name}")
        found: list[Result] = []
        for served in self._searched(request, arguments):
            async for page in served.tree.below(""):
                found += self._seen(request, served, [node.path for node in page if patterns.admits(node.path)])
                if len(found) >= MOST:
                    break
        return await _results(request, found)

    async def by_checksum(self, request: ProxyRequest) -> Text:
        """``?sha256=``, ``?sha1=`` or ``?md5=``."""
        arguments = Arguments.of(request.uri)
        try:
            wanted = [Digest(name, arguments.first(name).lower()) for name in ALGORITHMS if name in arguments]
        except ValueError as error:
            raise RegproxyError(Kind.INVALID, str(error)) from error
        if len(wanted) != 1:
            raise RegproxyError(Kind.INVALID, "one of sha256, sha1 and md5 is expected")
        found: list[Result] = []
        for served in self._searched(request, arguments):
            found += self._seen(request, served, [node.path for node in await served.tree.named_by(wanted[0])])
        return await _results(request, found)

    def by_bad_checksum(self, request: ProxyRequest) -> Text:
        """``?type=``: none, for bytes that are not what was said of them never become a file here."""
        if Arguments.of(request.uri).first("type").lower() not in ALGORITHMS:
            raise RegproxyError(Kind.INVALID, f"type is one of {', '.join(ALGORITHMS)}")
        return render({"results": []})

    async def by_property(self, request: ProxyRequest) -> Text:
        """``?name=value``, several of which all have to hold; ``*`` is any value."""
        arguments = Arguments.of(request.uri)
        wanted = gathered((name, value or "*") for name, value in arguments.pairs if name != "repos")
        if not 0 < sum(map(len, wanted.values())) <= MOST_PROPERTIES:
            raise RegproxyError(Kind.INVALID, f"1 to {MOST_PROPERTIES} properties are expected")
        found: list[Result] = []
        for served in self._searched(request, arguments):
            found += self._seen(request, served, await served.tree.annotated(wanted, MOST))
        return await _results(request, found)

    def _searched(self, request: ProxyRequest, arguments: Arguments) -> Iterator[Serving]:
        keys = arguments.words("repos")
        for each in map(self._catalog, keys) if keys else iter(self._catalog):
            served = None if each is None else each.seen_by(request)
            if isinstance(served, VirtualServed):
                yield from served.members(request) if keys else ()  # all others are looked at anyway
            elif served is not None:
                yield served

    def _seen(self, request: ProxyRequest, served: Serving, paths: Sequence[str]) -> list[Result]:
        return [(served, path) for path in paths if served.permits(request, Action.READ, path)]


async def _results(request: ProxyRequest, found: Sequence[Result]) -> Text:
    details = {word.strip().lower() for word in (request.getHeader("x-result-detail") or "").split(",")}
    shown = [await _shown(request, served, path, details) for served, path in found[:MOST]]
    return render({"results": shown})


async def _shown(request: ProxyRequest, served: Serving, path: str, details: Collection[str]) -> Mapping[str, object]:
    tree, base_url, key = served.tree, served.base_url(request), served.repository.key
    said: dict[str, object] = {"uri": storage_uri(base_url, key, path)}
    node = await tree.find(path) if "info" in details else None
    if isinstance(node, Node):
        said |= file_info(node, key, base_url, tree.digests(node), tree.depositors(node))
    if "properties" in details:
        said["properties"] = {name: list(values) for name, values in tree.properties(path).items()}
    return said
