"""``maxUniqueTags``: of each image so many tags are kept, those that were pushed last.

The tags beyond go, and the manifests that only they named. What an index lists and what layers consist of stay.
"""

from collections.abc import Sequence

from attrs import frozen

from regproxy.formats.oci.address import Manifest
from regproxy.formats.oci.contents import Contents, digest_of, path_of, tag_of
from regproxy.model.digest import Digest
from regproxy.model.node import Node
from regproxy.repo.interface import Hosting, Serving


@frozen
class Retention:
    """Of one repository."""

    _serving: Serving
    _repository: Hosting

    async def apply(self, image: str, just: Sequence[str]) -> None:
        """Remove what is too many; never what was pushed just now."""
        most = self._repository.settings.max_unique_tags
        if most <= 0:
            return
        nodes = sorted(await Contents(self._serving).tags(image) or (), key=lambda node: node.modified, reverse=True)
        kept = [node for node in nodes if tag_of(node, image) in just]
        kept += [node for node in nodes if node not in kept][: max(0, most - len(kept))]
        gone = [node for node in nodes if node not in kept]
        if not gone:
            return
        for node in gone:
            await self._repository.delete(node.path)
        needed = await self._needed(image, kept)
        for digest in {digest_of(node) for node in gone} - needed:
            await self._repository.delete(path_of(Manifest(image, digest)))

    async def _needed(self, image: str, tags: Sequence[Node]) -> set[Digest]:
        """The manifests that tags name, and what these list."""
        found = {digest_of(node) for node in tags}
        waiting = list(found)
        while waiting:
            listed = await Contents(self._serving).read(Manifest(image, waiting.pop()))
            new = set(() if listed is None else listed.manifests) - found
            found |= new
            waiting += new
        return found
