"""What a pushed manifest refers to, and another member has: brought into the member that takes uploads.

Clients look first what is there, and do not send it. Here they are told what any member has, so that a manifest may come
without some of its layers: those are named anew where their bytes are in the store, and fetched where only an upstream has
them. A digest says what they are, so it does not matter whose the name is. ``Push`` asks for nothing that is there already.
"""

from attrs import frozen

from regproxy.errors import RegproxyError
from regproxy.formats.oci.address import Layer, Manifest
from regproxy.formats.oci.contents import blob_of, path_of
from regproxy.formats.oci.manifest import LIMIT
from regproxy.formats.oci.names import want_for
from regproxy.formats.oci.virtual.finding import find
from regproxy.model.access import Action
from regproxy.model.node import Node
from regproxy.repo.interface import Body, Hosting, Serving, ServingSeveral
from regproxy.stream.copied import Copied
from regproxy.web.body import read_whole
from regproxy.web.request import ProxyRequest


@frozen
class Supplying:
    """``tagging.Supply`` of one request, for the member ``_to``."""

    _serving: ServingSeveral
    _request: ProxyRequest
    _to: Serving
    _hosting: Hosting

    async def blob(self, layer: Layer) -> bool:
        """Name it, or fetch it."""
        upload = blob_of(layer, self._to.permit(self._request, Action.WRITE, path_of(layer)))
        members = self._serving.members(self._request, path_of(layer))
        places = {(each.tree.key, want_for(layer, each.repository.settings.url).path): each for each in members}

        def may_use(node: Node) -> bool:
            member = places.get((node.repository, node.path))
            return member is not None and member.permits(self._request, Action.READ, node.path)

        if await self._hosting.link(upload, may_use) is not None:
            return True
        found = await self._found(layer)
        if found is None:
            return False
        await self._hosting.receive(upload, Copied(found.readable, self._serving.apart))
        return True

    async def manifest(self, at: Manifest) -> tuple[bytes, str] | None:
        """Read it."""
        found = await self._found(at)
        if found is None:
            return None
        return await read_whole(Copied(found.readable, self._serving.apart), LIMIT), found.head.media_type or ""

    async def _found(self, address: Layer | Manifest) -> Body | None:
        try:
            _, answer = await find(self._serving, self._request, address, body=True, asks_all=True)
        except RegproxyError:  # to log in: he has, where it matters
            return None
        return answer if isinstance(answer, Body) else None
