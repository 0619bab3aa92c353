"""``/api/storage/{repo}/{path}`` and ``/api/metadata/{repo}/{path}``: what is known of files and folders, and what is said about
them.

A remote repository shows what it has cached. Messages of two refusals are matched by clients: "Unable to find item" and "No
properties could be found".
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from attrs import frozen

from regproxy.admin.arguments import Arguments
from regproxy.errors import Kind, RegproxyError
from regproxy.model.access import Action
from regproxy.model.deposit import Child, Folder, Properties
from regproxy.model.node import Node
from regproxy.model.principals import ANONYMOUS
from regproxy.model.properties import checked, parse_names, parse_properties
from regproxy.repo.interface import Serving, Text
from regproxy.repo.virtual import in_order, united
from regproxy.web.body import read_whole
from regproxy.web.catalog import Catalog
from regproxy.web.guard import readable
from regproxy.web.items import file_info, folder_info, listed_file, listed_folder, storage_uri, when
from regproxy.web.request import ProxyRequest
from regproxy.web.serving import Served
from regproxy.web.virtual import VirtualServed

LISTED = 100_000
CHANGES_LIMIT = 1 << 20
DEEPEST = 99_999

NO_CONTENT = Text(b"", "text/plain", status=204)


@frozen
class Item:
    """What a request is about; ``path`` is a folder's with its slash.

    Attributes:
        parts: where it is: the repository, or those members of a virtual one that have it; the first one has the file.
    """

    served: Served
    found: Node | Folder
    parts: Sequence[Serving]

    @property
    def path(self) -> str:
        """Of the node or the folder."""
        return self.found.path

    @property
    def key(self) -> str:
        """Of the repository, as it was asked for."""
        return self.served.repository.key


def render(value: object) -> Text:
    """Write JSON."""
    return Text(msgspec.json.format(msgspec.json.encode(value), indent=2), "application/json")


@frozen(eq=False)
class Storage:
    """Answers for every repository; ``request.rest`` begins with the word behind ``/api/``."""

    _catalog: Catalog

    async def read(self, request: ProxyRequest) -> Text:
        """Answer a GET: information, a list, statistics, or properties."""
        arguments = Arguments.of(request.uri)
        item = await self.item(request, Action.READ)
        base_url = item.served.base_url(request)
        if "properties" in arguments:
            return _properties(item, base_url, arguments)
        if "stats" in arguments:
            return _downloads(item, base_url)
        if "list" in arguments:
            listed = await _listed(request, item, arguments)
            uri = storage_uri(base_url, item.key, item.path)
            return await item.served.apart(lambda: render({"uri": uri, "created": when(item.found.created), "files": listed}))
        if "lastModified" in arguments:
            return await _newest(request, item, base_url)
        return await self._info(request, item, base_url)

    async def annotate(self, request: ProxyRequest) -> Text:
        """Answer a PUT: set properties."""
        arguments = Arguments.of(request.uri)
        if "properties" not in arguments:
            raise RegproxyError(Kind.INVALID, "the parameter properties says what to set")
        try:
            properties = parse_properties(arguments.first("properties"))
        except ValueError as error:
            raise RegproxyError(Kind.INVALID, str(error)) from error
        item = await self.item(request, Action.ANNOTATE)
        await self._annotate(request, item, properties, below=arguments.flag("recursive", default=True))
        return NO_CONTENT

    async def strip(self, request: ProxyRequest) -> Text:
        """Answer a DELETE: remove properties."""
        arguments = Arguments.of(request.uri)
        names = parse_names(arguments.first("properties"))
        if not names:
            raise RegproxyError(Kind.INVALID, "the parameter properties says what to remove")
        item = await self.item(request, Action.ANNOTATE)
        await self._annotate(request, item, dict.fromkeys(names, ()), below=arguments.flag("recursive", default=True))
        return NO_CONTENT

    async def change(self, request: ProxyRequest) -> Text:
        """Answer a PATCH of the metadata: set some properties, and remove those that are null."""
        arguments = Arguments.of(request.uri)
        item = await self.item(request, Action.ANNOTATE)
        properties = _changes(await read_whole(request.body, CHANGES_LIMIT))
        below = arguments.flag("recursiveProperties", default=arguments.flag("recursive", default=True))
        await self._annotate(request, item, properties, below=below)
        return NO_CONTENT

    async def _annotate(self, request: ProxyRequest, item: Item, properties: Properties, *, below: bool) -> None:
        if below and isinstance(item.found, Folder):
            await item.parts[0].permit_below(request, Action.ANNOTATE, item.path)
        await item.parts[0].tree.annotate(item.path, properties, below=below)

    async def item(self, request: ProxyRequest, action: Action) -> Item:
        """What a request is about, if he may do that with it."""
        key, *segments = request.rest[1:]
        path = "/".join(segments)
        served = self._catalog.find(key, request)
        if served is None:
            error = self._catalog.unknown(request, key)
            raise RegproxyError(error.kind, f"Unable to find item: {error.text}")
        request.node = path
        if isinstance(served, VirtualServed):
            found, parts = await _through(request, served, action, path)
        else:
            served.permit(request, action, path)
            found, parts = await served.tree.find(path), [served]
        if found is None:
            raise RegproxyError(Kind.NOT_FOUND, f"Unable to find item {path!a} in {key}")
        return Item(served, found, parts)

    async def _info(self, request: ProxyRequest, item: Item, base_url: str) -> Text:
        tree = item.parts[0].tree
        match item.found:
            case Node() as node:
                return render(file_info(node, item.key, base_url, tree.digests(node), tree.depositors(node)))
            case folder:
                children = await _children(request, item.parts, folder.path)
                return await item.served.apart(lambda: render(folder_info(folder, item.key, base_url, children)))


async def _through(
    request: ProxyRequest, served: VirtualServed, action: Action, path: str
) -> tuple[Node | Folder | None, Sequence[Serving]]:
    """What a virtual repository has at a path, and the members that have it; what is changed is changed in one of them."""
    if action is not Action.READ:
        member, _ = served.deployment(request)
        member.permit(request, action, path)
        return await member.tree.find(path), [member]
    served.permit(request, action, path)
    seen = [each for each in served.members(request) if each.permits(request, action, path)]
    found = [(each, await each.tree.find(path)) for each in in_order(seen, lambda member: member.repository.has(path))]
    there = [(member, what) for member, what in found if what is not None]
    return there[0][1] if there else None, [member for member, _ in there]


async def _children(request: ProxyRequest, parts: Sequence[Serving], path: str) -> Sequence[Child]:
    return united([readable(each, request, path, await each.tree.children(path)) for each in parts])


def _properties(item: Item, base_url: str, arguments: Arguments) -> Text:
    names = arguments.words("properties")
    found = item.parts[0].tree.properties(item.path)
    shown = {name: list(values) for name, values in found.items() if not names or name in names}
    if not shown:
        raise RegproxyError(Kind.NOT_FOUND, "No properties could be found.")
    return render({"properties": shown, "uri": storage_uri(base_url, item.key, item.path)})


def _downloads(item: Item, base_url: str) -> Text:
    found = item.parts[0].tree.downloads(item.path)
    last = 0 if found.last is None else int(found.last * 1000)
    by = {} if found.last is None else {"lastDownloadedBy": found.by or ANONYMOUS}
    elsewhere = {"remoteDownloadCount": 0, "remoteLastDownloaded": 0}  # what clients of typed languages insist on
    uri = storage_uri(base_url, item.key, item.path)
    return render({"uri": uri, "downloadCount": found.count, "lastDownloaded": last, **by, **elsewhere})


async def _listed(request: ProxyRequest, item: Item, arguments: Arguments) -> Sequence[Mapping[str, object]]:
    if isinstance(item.found, Node):
        raise RegproxyError(Kind.INVALID, "a list is one of a folder")
    top = item.path
    depth = arguments.number("depth", DEEPEST) if arguments.flag("deep", default=False) else 1
    entries: dict[str, dict[str, Any]] = {}
    for part in item.parts:
        async for page in part.tree.below(top):
            near = [node for node in page if node.path.count("/", len(top)) < depth and node.path not in entries]
            entries |= {each.path: listed_file(each, top) for each in near if part.permits(request, Action.READ, each.path)}
            if len(entries) > LISTED:
                raise RegproxyError(Kind.TOO_LARGE, f"more than {LISTED} files are there: list a folder of it")
        if arguments.flag("listFolders", default=False):
            folders = [each for each in await part.tree.folders_below(top) if each.path.count("/", len(top)) <= depth]
            seen = [each for each in folders if each.path not in entries and part.permits(request, Action.READ, each.path)]
            entries |= {each.path: listed_folder(each, top) for each in seen}
    if arguments.flag("includeRootPath", default=False):
        entries[top] = listed_folder(item.found, top)
    return sorted(entries.values(), key=lambda entry: str(entry["uri"]))


async def _newest(request: ProxyRequest, item: Item, base_url: str) -> Text:
    newest = item.found if isinstance(item.found, Node) else None
    if newest is None:
        for part in item.parts:
            async for page in part.tree.below(item.path):
                seen = [node for node in page if part.permits(request, Action.READ, node.path)]
                newest = max([*seen, *([newest] if newest else [])], key=lambda node: node.modified, default=None)
    if newest is None:
        raise RegproxyError(Kind.NOT_FOUND, "Unable to find item: there is no file in this folder")
    return render({"uri": storage_uri(base_url, item.key, newest.path), "lastModified": when(newest.modified)})


def _changes(body: bytes) -> Properties:
    """Read ``{"props": {"name": "value", "other": ["a", "b"], "gone": null}}``."""
    try:
        props = msgspec.json.decode(body, type=dict[str, dict[str, str | list[str] | None]])["props"]
    except (msgspec.MsgspecError, KeyError, RecursionError) as error:
        raise RegproxyError(Kind.INVALID, 'expected JSON such as {"props": {"name": "value", "gone": null}}') from error
    given = {name: (said,) if isinstance(said, str) else tuple(said or ()) for name, said in props.items()}
    try:
        return checked(given)
    except ValueError as error:
        raise RegproxyError(Kind.INVALID, str(error)) from error
