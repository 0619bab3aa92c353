"""``X-cache``: what the remote ``X`` holds, and only that, however old; upstream is never asked."""

from attrs import frozen

from regproxy.model.digest import Digest
from regproxy.model.settings import RepositorySettings
from regproxy.model.want import Want
from regproxy.repo.interface import Answer, Body, Missing, Origin
from regproxy.repo.parts import Parts
from regproxy.repo.remote import Remote
from regproxy.repo.shelf import Shelf

SUFFIX = "-cache"


@frozen(eq=False)
class Cached:
    """The companion of a remote."""

    _remote: Remote
    _parts: Parts
    _shelf: Shelf

    @property
    def key(self) -> str:
        """The remote's, with the suffix."""
        return self._remote.key + SUFFIX

    @property
    def settings(self) -> RepositorySettings:
        """The remote's, under this key."""
        settings = self._remote.settings
        return type(settings)(**{name: getattr(settings, name) for name in settings.__struct_fields__} | {"key": self.key})

    def has(self, path: str, digest: Digest | None = None) -> bool:
        """As the remote."""
        return self._remote.has(path, digest)

    async def resolve(self, want: Want) -> Answer:
        """Look into the index, and nowhere else."""
        refused = self._remote.refusal(want.path)
        if refused is not None:
            return refused
        node = self._parts.index.node(self._remote.key, want.path)
        readable = await self._shelf.open(node) if node is not None and self.has(want.path, want.digest) else None
        if node is None or readable is None:
            return Missing(f"{self._remote.key} does not hold it")
        age = max(0, int(self._parts.clock.seconds() - node.checked))
        return Body(node.head, readable, Origin.HIT, age, path=node.path)
