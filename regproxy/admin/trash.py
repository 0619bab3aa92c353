"""``/api/trash``: what was deleted is put back, or removed for good. For administrators."""

from attrs import frozen

from regproxy.admin.arguments import Arguments
from regproxy.admin.desk import administrator
from regproxy.admin.storage import NO_CONTENT, Item
from regproxy.admin.transfers import Transfer, address_of
from regproxy.errors import Kind, RegproxyError
from regproxy.model.deposit import Folder
from regproxy.model.trash import TRASH
from regproxy.repo.interface import Text, is_hosting
from regproxy.web.catalog import Catalog
from regproxy.web.gate import Gate
from regproxy.web.request import ProxyRequest
from regproxy.web.serving import Served


@frozen(eq=False)
class TrashCan:
    """The trash can of a server."""

    _catalog: Catalog
    _gate: Gate

    async def restore(self, request: ProxyRequest) -> Text:
        """Put a file or folder back where it was, or to ``to``."""
        by = administrator(request, self._gate).name
        item = await self._item(request)
        arguments = Arguments.of(request.uri)
        key, path = address_of(arguments.first("to") if "to" in arguments else item.path.rstrip("/"))
        target = self._catalog.find(key, request)
        if target is None:
            raise self._catalog.unknown(request, key)
        there = target.repository
        came_from = item.path.partition("/")[0]
        if not is_hosting(there) or (key != came_from and "generic" not in target.format.package_types):
            raise RegproxyError(Kind.INVALID, f"{key} takes nothing that was in {came_from}")
        path = path.rstrip("/")
        if isinstance(item.found, Folder):
            path = f"{path}/" if path else ""
        elif not path:
            raise RegproxyError(Kind.INVALID, "a file needs a path")
        transfer = Transfer(request, item, target, there, path, by, moves=True, is_dry=False, stops=False)
        return await transfer.apart()

    async def empty(self, request: ProxyRequest) -> Text:
        """Remove everything for good."""
        administrator(request, self._gate)
        served = self._served()
        for child in await served.tree.children(""):
            await self._delete(served, f"{child.name}/")
        return Text(b"Trash can emptied successfully.\n", "text/plain")

    async def clean(self, request: ProxyRequest) -> Text:
        """Remove a file or folder for good."""
        administrator(request, self._gate)
        item = await self._item(request)
        await self._delete(item.served, item.path)
        return NO_CONTENT

    async def _delete(self, served: Served, path: str) -> None:
        repository = served.repository
        assert is_hosting(repository)
        await repository.delete(path)

    async def _item(self, request: ProxyRequest) -> Item:
        served, path = self._served(), "/".join(request.rest[2:]).strip("/")
        found = await served.tree.find(path) if path else None
        if found is None:
            raise RegproxyError(Kind.NOT_FOUND, f"Unable to find item {path!a} in {TRASH}")
        return Item(served, found, [served])

    def _served(self) -> Served:
        served = self._catalog(TRASH)
        assert served is not None
        return served
