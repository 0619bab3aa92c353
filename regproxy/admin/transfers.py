"""``POST /api/copy/{repo}/{path}?to=/{repo}/{path}`` and ``/api/move/…``: files and folders, with their properties.

Bytes are not touched: nodes are put at other places. As with ``cp`` and ``mv``, what goes to a folder that is there gets into it.
Each file is a step of its own; without ``failFast`` the others go on behind one that cannot be done. What one may not read is not
copied, and not spoken of. What was begun goes on when its client leaves.
"""

import re
from collections.abc import AsyncIterator, Sequence

import msgspec
from attrs import define, field, frozen
from twisted.internet.defer import Deferred, gatherResults

from regproxy.admin.arguments import Arguments
from regproxy.admin.storage import Item, Storage
from regproxy.errors import Kind, RegproxyError
from regproxy.model.access import Action
from regproxy.model.deposit import Folder, Upload
from regproxy.model.node import Node
from regproxy.repo.interface import Hosting, Text, is_hosting, is_virtual
from regproxy.stream.apart import apart
from regproxy.web.catalog import Catalog
from regproxy.web.errors import STATUS
from regproxy.web.request import ProxyRequest
from regproxy.web.serving import Served

TOGETHER = 50
TOLD = 100
LONGEST = 8 << 10

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\\\\]")


@frozen(eq=False)
class Transfers:
    """Copies and moves between the repositories of a catalog."""

    _catalog: Catalog

    async def run(self, request: ProxyRequest, *, moves: bool) -> Text:
        """Do what a request asks for."""
        arguments = Arguments.of(request.uri)
        key, path = address_of(arguments.first("to"))
        is_dry, stops = arguments.flag("dry", default=False), arguments.flag("failFast", default=False)
        item = await Storage(self._catalog).item(request, Action.READ)
        if is_virtual(item.served.repository):
            raise RegproxyError(Kind.INVALID, f"{item.key} shows what its members have: copy or move it from one of these")
        if moves:
            await _permit_leaving(request, item)
        target = self._catalog.find(key, request)
        if target is None:
            raise self._catalog.unknown(request, key)
        there = target.repository
        if not is_hosting(there) or target.format not in (item.served.format, self._plain(target)):
            raise RegproxyError(Kind.INVALID, f"{key} takes nothing of {item.key}: it is no local repository of that format")
        path = await _inside(target, item, path)
        by = target.permit(request, Action.WRITE, path)
        if there.key == item.served.tree.key and (path == item.path or (path.startswith(item.path) and _is_folder(item))):
            raise RegproxyError(Kind.INVALID, "it cannot go to where it is, nor into itself")
        transfer = Transfer(request, item, target, there, path, by, moves=moves, is_dry=is_dry, stops=stops)
        return await transfer.apart()

    @staticmethod
    def _plain(target: Served) -> object:
        """A repository of files takes those of every format."""
        return target.format if "generic" in target.format.package_types else None


@define(eq=False)
class Transfer:
    """One of them, on its way; ``path`` is where its top is to be."""

    _request: ProxyRequest
    _item: Item
    _target: Served
    _there: Hosting
    _path: str
    _by: str
    _moves: bool = field(kw_only=True)
    _is_dry: bool = field(kw_only=True)
    _stops: bool = field(kw_only=True)
    _files: int = field(init=False, default=0)
    _folders: int = field(init=False, default=0)
    _troubles: list[RegproxyError] = field(init=False, factory=list)

    async def apart(self) -> Text:
        """Do it, also when the client leaves, and say what was done."""
        return await apart(self._run(), f"a copy to {self._there.key}")

    async def _run(self) -> Text:
        async for some in self._nodes():
            await gatherResults([Deferred.fromCoroutine(self._one(node)) for node in some], consumeErrors=True)
            if self._troubles and self._stops:
                break
        if isinstance(self._item.found, Folder) and not (self._troubles and self._stops):
            await self._make_folders(self._item.found)
        return self._told()

    async def _nodes(self) -> AsyncIterator[Sequence[Node]]:
        """All that he may read, a few at a time."""
        served, found = self._item.served, self._item.found
        together = 1 if self._stops else TOGETHER
        if isinstance(found, Node):
            yield [found]
            return
        async for page in served.tree.below(found.path):
            seen = [node for node in page if served.permits(self._request, Action.READ, node.path)]
            for start in range(0, len(seen), together):
                yield seen[start : start + together]

    async def _one(self, node: Node) -> None:
        path = self._path + node.path[len(self._item.path) :]
        try:
            self._target.permit(self._request, Action.WRITE, path)
            may_replace = self._target.permits(self._request, Action.DELETE, path)
            upload = Upload(path, by=self._by, may_replace=may_replace)
            await self._there.take(node, upload, moves=self._moves, is_dry=self._is_dry)
        except RegproxyError as error:
            self._troubles.append(RegproxyError(error.kind, f"{node.path!a}: {error.text}", detail=error.detail))
        else:
            self._files += 1

    async def _make_folders(self, top: Folder) -> None:
        served, here = self._item.served, self._target.tree
        tree = served.tree
        below = [each for each in await tree.folders_below(top.path) if served.permits(self._request, Action.READ, each.path)]
        for folder in (top, *below):
            path = self._path + folder.path[len(top.path) :]
            if not path or not self._target.permits(self._request, Action.WRITE, path):
                continue
            try:
                if not self._is_dry:
                    await self._there.make_folder(path, self._by)
                    await here.annotate(path, tree.properties(folder.path), below=False)
            except RegproxyError as error:
                self._troubles.append(error)
            else:
                self._folders += 1
        if self._moves and not self._is_dry:
            await tree.prune(top.path)

    def _told(self) -> Text:
        verb, done = ("moving", "moved") if self._moves else ("copying", "copied")
        what = f"{verb} {self._item.key}:{self._item.path} to {self._target.repository.key}:{self._path}"
        if not self._troubles:
            dry = "dry run of " if self._is_dry else ""
            count = f"{self._files} artifacts and {self._folders} folders were {done}"
            return _text([("INFO", f"{dry}{what} completed successfully, {count}")])
        first = self._troubles[0]
        lines = [("ERROR", error.text) for error in self._troubles[:TOLD]]
        text = f"{what} completed with {len(self._troubles)} errors, {self._files} artifacts were {done}"
        return _text([*lines, ("ERROR", text)], STATUS[first.kind], first.text)


def _text(lines: Sequence[tuple[str, str]], status: int = 200, error: str = "") -> Text:
    said: dict[str, object] = {"messages": [{"level": level, "message": message} for level, message in lines]}
    if error:
        said["errors"] = [{"status": status, "message": error}]
    return Text(msgspec.json.format(msgspec.json.encode(said), indent=2), "application/json", status=status)


def address_of(text: str) -> tuple[str, str]:
    """Read ``/repo/path``; a slash at its end is that of a folder."""
    key, *segments = text.removeprefix("/").split("/")
    if not key or len(text) > LONGEST or _CONTROL.search(text) or not {".", ".."}.isdisjoint(segments) or not all(segments[:-1]):
        raise RegproxyError(Kind.INVALID, "to says where it is to go: /repository/path")
    return key, "/".join(segments)


def _is_folder(item: Item) -> bool:
    return isinstance(item.found, Folder)


async def _inside(target: Served, item: Item, path: str) -> str:
    """Where the top is to be: in a folder that is there, or at the path that was said."""
    name = item.path.rstrip("/").rpartition("/")[2]
    there = await target.tree.find(path)
    nests = isinstance(there, Folder) or (path.endswith("/") and not _is_folder(item))
    if isinstance(there, Node) and _is_folder(item):
        raise RegproxyError(Kind.CONFLICT, f"{path!a} is a file")
    found = f"{path.rstrip('/')}/{name}".lstrip("/") if nests else path.rstrip("/")
    return f"{found.rstrip('/')}/".lstrip("/") if _is_folder(item) else found


async def _permit_leaving(request: ProxyRequest, item: Item) -> None:
    """What moves is gone from where it was."""
    if not is_hosting(item.served.repository):
        raise RegproxyError(Kind.INVALID, f"{item.key} holds what an upstream has: it can be copied, and not moved")
    item.served.permit(request, Action.DELETE, item.path)
    if _is_folder(item):
        await item.served.permit_below(request, Action.DELETE, item.path)
        await item.served.permit_below(request, Action.READ, item.path)
