"""What a local repository of images holds, read from its tree: the nodes are the truth, nothing is kept beside them."""

import re
from collections.abc import Iterable, Sequence

from attrs import frozen

from regproxy.errors import RegproxyError
from regproxy.formats.oci.address import TAG, Layer, Manifest
from regproxy.formats.oci.manifest import LIMIT, descriptor, read_manifest
from regproxy.formats.oci.manifest import Manifest as Read
from regproxy.formats.oci.names import want_for
from regproxy.formats.oci.plan import OCTETS
from regproxy.model.deposit import Upload
from regproxy.model.digest import Digest
from regproxy.model.head import Head
from regproxy.model.node import Node
from regproxy.repo.interface import Body, Serving

SUBJECT = "oci.subject"
"""The property by which a manifest is found that refers to another: ``{image}@{digest}`` of that one."""

_ATTACHED = re.compile(r"sha(?:256|512)-[0-9a-f]{64}")
"""How tags begin that stand for what refers to a digest, of clients that do without the referrers API."""

MANIFEST = "manifest.json"
MOST_REFERRERS = 10_000


def path_of(address: Manifest | Layer) -> str:
    """Where a node lies."""
    return want_for(address, "").path


def blob_of(layer: Layer, by: str) -> Upload:
    """A blob that is to become a node: the same bytes may come any number of times."""
    head = Head(media_type=OCTETS, etag=f'"{layer.digest}"')
    return Upload(path_of(layer), (layer.digest,), by=by, may_replace=True, head=head)


@frozen
class Contents:
    """Looks into one repository."""

    _serving: Serving

    def node(self, address: Manifest | Layer) -> Node | None:
        """What is at an address."""
        return self._serving.tree.node(path_of(address))

    async def tags(self, image: str) -> Sequence[Node] | None:
        """The nodes of an image's tags; None if there is no such image."""
        tree = self._serving.tree
        names = [child.name for child in await tree.children(f"{image}/") if child.node is None]
        found = [tree.node(f"{image}/{name}/{MANIFEST}") for name in names if TAG.fullmatch(name)]
        tags = [node for node in found if node is not None]
        if tags or any(":" in name and tree.node(f"{image}/{name}/{MANIFEST}") for name in names):
            return tags
        return None

    async def owns(self, image: str) -> bool:
        """Whether that is the name of an image here: what is only attached to one of elsewhere, be it by a tag, makes it none."""
        tree = self._serving.tree
        names = [child.name for child in await tree.children(f"{image}/") if child.node is None]
        attached = set[str]()
        for name in names:
            node = tree.node(f"{image}/{name}/{MANIFEST}") if TAG.fullmatch(name) else None
            if node is not None and not _ATTACHED.match(name):
                return True
            attached |= {node.sha256} if node is not None else set()
        manifests = (tree.node(f"{image}/{name}/{MANIFEST}") for name in names if ":" in name)
        return any(
            node is not None and node.sha256 not in attached and SUBJECT not in tree.properties(node.path) for node in manifests
        )

    async def tags_of(self, node: Node, image: str) -> Sequence[Node]:
        """The tags of an image that name the same bytes as a node."""
        named = await self._serving.tree.named_by(Digest("sha256", node.sha256))
        return [each for each in named if tag_of(each, image) is not None]

    async def images(self) -> Sequence[str]:
        """The names of all images that have a manifest."""
        tree, found, folders = self._serving.tree, [], [""]
        while folders:
            at = folders.pop()
            names = [child.name for child in await tree.children(at) if child.node is None]
            if any(":" in name and tree.node(f"{at}{name}/{MANIFEST}") for name in names):
                found.append(at[:-1])
            folders += [f"{at}{name}/" for name in names if ":" not in name and not name.startswith("_")]
        return found

    async def referrers(self, image: str, digest: Digest) -> list[dict[str, object]]:
        """The descriptors of what refers to a manifest, whether that is there or not."""
        described = [await self._described(Manifest(image, each), digest) for each in await self._referring(image, digest)]
        return [each for each in described if each is not None]

    async def _referring(self, image: str, digest: Digest) -> Sequence[Digest]:
        """What of an image says that it refers to a manifest."""
        paths = await self._serving.tree.annotated({SUBJECT: (f"{image}@{digest}",)}, MOST_REFERRERS)
        references = (path.removeprefix(f"{image}/").removesuffix(f"/{MANIFEST}") for path in paths)
        named = dict(zip(references, paths, strict=False))
        return [Digest.parse(each) for each, path in named.items() if path == f"{image}/{each}/{MANIFEST}" and ":" in each]

    async def manifests(self, image: str) -> Sequence[Digest]:
        """Those that are in an image."""
        names = [child.name for child in await self._serving.tree.children(f"{image}/") if child.node is None]
        return [Digest.parse(name) for name in names if ":" in name and self._serving.tree.node(f"{image}/{name}/{MANIFEST}")]

    async def with_all(self, image: str, roots: Iterable[Digest]) -> dict[Digest, Read | None]:
        """Manifests with what they list and what refers to any of them, however deep; None for what is not there."""
        found: dict[Digest, Read | None] = {}
        waiting = list(roots)
        while waiting:
            digest = waiting.pop()
            if digest in found:
                continue
            read = found[digest] = await self.read(Manifest(image, digest))
            if read is not None:
                waiting += [*read.manifests, *await self._referring(image, digest)]
        return found

    async def _described(self, address: Manifest, subject: Digest) -> dict[str, object] | None:
        node, manifest = self.node(address), await self.read(address)
        if node is None or manifest is None or manifest.subject != subject:
            return None
        return descriptor(manifest, digest_of(node), node.size)

    async def read(self, address: Manifest) -> Read | None:
        """What a manifest says; None if it is not there, or cannot be read."""
        answer = await self._serving.repository.resolve(want_for(address, ""))
        if not isinstance(answer, Body):
            return None
        try:
            return await self._serving.parse(answer, LIMIT, lambda data: read_manifest(data, answer.head.media_type))
        except RegproxyError:
            return None


def digest_of(node: Node) -> Digest:
    """By which a manifest was pushed."""
    return Digest.parse((node.head.etag or "").strip('"'))


def tag_of(node: Node, image: str) -> str | None:
    """The tag that a node is in an image; None for another node."""
    tag = node.path.removeprefix(f"{image}/").removesuffix(f"/{MANIFEST}")
    return tag if node.path == f"{image}/{tag}/{MANIFEST}" and TAG.fullmatch(tag) else None
