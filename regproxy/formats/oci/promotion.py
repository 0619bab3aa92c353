"""``POST …/v2/promote``: an image, or one tag of it, goes from one local repository to another, as it is.

Rules:

1. No byte is written: blobs, manifests and tags get further names. A tag and all that it consists of are one step: whoever sees
   the tag can pull it.
2. What moves leaves its place behind that, in a step of its own: whatever happens between them, it is somewhere.
3. What refers to a manifest that goes (a signature, a bill of materials) goes along: it has no tag to be promoted by.
4. Of what moves stay blobs, as with every delete, and manifests that something else of the image needs.
"""

from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.oci.address import Layer, Manifest
from regproxy.formats.oci.contents import SUBJECT, Contents, digest_of, path_of, tag_of
from regproxy.formats.oci.manifest import Manifest as Read
from regproxy.formats.oci.names import PACKAGE_TYPES
from regproxy.formats.oci.order import Order, invalid, read_order
from regproxy.formats.oci.retention import Retention
from regproxy.model.access import Action
from regproxy.model.deposit import Upload
from regproxy.model.digest import Digest
from regproxy.model.head import Head
from regproxy.model.node import Node
from regproxy.repo.interface import Hosting, Serving, Text, is_hosting
from regproxy.repo.interface_bundle import Bundled, Piece
from regproxy.stream.apart import apart
from regproxy.web.body import read_whole
from regproxy.web.request import ProxyRequest

LIMIT = 64 << 10
TRIES = 3
"""So often a step is planned anew because somebody has changed meanwhile what it was made from."""

_DONE = Text(b"Promotion ended successfully", "text/plain")


async def promote(request: ProxyRequest, source: Serving) -> Text:
    """Do what a request asks for; ``RegproxyError`` says why not."""
    source.permit_somewhere(request, Action.READ)
    order = read_order(await read_whole(request.body, LIMIT))
    target = source.beside(request, order.key)
    here, there = source.repository, target.repository
    if not is_hosting(here) or not is_hosting(there) or there.settings.package_type not in PACKAGE_TYPES:
        raise invalid(f"images are promoted from one local repository to another: {here.key} or {there.key} is none of images")
    if here.settings.blacked_out:
        raise RegproxyError(Kind.DENIED, f"repository {here.key} is blacked out")
    if (here.key, order.image, order.tag) == (there.key, order.target_image, order.target_tag):
        raise invalid("it cannot go to where it is")
    promotion = Promotion(request, order, source, here, target, there)
    return await apart(promotion.run(), f"a promotion to {there.key}")


@frozen
class Portion:
    """What goes in one step: a tag and all that goes with it; without one what has none.

    Attributes:
        digest, sha256: of what the tag names.
    """

    manifests: Mapping[Digest, Read]
    tag: str = ""
    target_tag: str = ""
    digest: Digest | None = None
    sha256: str = ""

    @property
    def layers(self) -> Iterable[Digest]:
        """What they consist of."""
        return dict.fromkeys(digest for each in self.manifests.values() for digest in each.layers)


@frozen
class Promotion:
    """One of them, on its way."""

    _request: ProxyRequest
    _order: Order
    _source: Serving
    _here: Hosting
    _target: Serving
    _there: Hosting

    async def run(self) -> Text:
        """Do it."""
        portions = await self._plan()
        for portion in portions:
            await self._bring(portion)
        if self._order.moves:
            await self._leave(portions)
        await Retention(self._target, self._there).apply(
            self._order.target_image, [each.target_tag for each in portions if each.tag]
        )
        return _DONE

    # What goes.

    async def _plan(self) -> Sequence[Portion]:
        """All of it, if it may go."""
        contents, image = Contents(self._source), self._order.image
        if self._order.tag:
            tags = [self._order.tag]
        else:
            found = await contents.tags(image)
            if found is None:
                raise self._missing(image)
            tags = [tag for tag in (tag_of(node, image) for node in found) if tag is not None]
        portions = [await self._portion(tag) for tag in tags]
        if not self._order.tag:
            gone = {digest for each in portions for digest in each.manifests}
            rest = [digest for digest in await contents.manifests(image) if digest not in gone]
            portions += [Portion(await self._checked(rest))] if rest else []
        return portions

    async def _portion(self, tag: str) -> Portion:
        path = path_of(Manifest(self._order.image, tag))
        self._source.permit(self._request, Action.READ, path)
        node = self._source.tree.node(path)
        if node is None:
            raise self._missing(f"{self._order.image}:{tag}")
        if self._order.moves:
            self._source.permit(self._request, Action.DELETE, path)
        digest = digest_of(node)
        manifests = await self._checked([digest])
        return Portion(manifests, tag, self._order.target_tag or tag, digest, node.sha256)

    async def _checked(self, roots: Sequence[Digest]) -> Mapping[Digest, Read]:
        """Manifests with all that hangs on them, each of which may be read and, if it moves, deleted here."""
        image = self._order.image
        manifests = {}
        for digest, read in (await Contents(self._source).with_all(image, roots)).items():
            path = path_of(Manifest(image, digest))
            self._source.permit(self._request, Action.READ, path)
            if read is None:
                raise self._lacking(digest)
            if self._order.moves:
                self._source.permit(self._request, Action.DELETE, path)
            manifests[digest] = read
        return manifests

    # Bringing it.

    async def _bring(self, portion: Portion) -> None:
        for _ in range(TRIES):
            bundle = self._there.bundle()
            try:
                if await self._publish(bundle, portion):
                    return
            finally:
                await bundle.close()
        raise RegproxyError(Kind.CONFLICT, "somebody else is changing the same image")

    async def _publish(self, bundle: Bundled, portion: Portion) -> bool:
        """Name everything that is not there yet, and the tag, as one step."""
        image, target = self._order.image, self._order.target_image
        uploads: list[tuple[Upload, Piece]] = []
        expected: dict[str, str | None] = {}
        pairs: list[tuple[Layer | Manifest, Layer | Manifest, Digest]] = [
            *((Layer(image, digest), Layer(target, digest), digest) for digest in portion.layers),
            *((Manifest(image, digest), Manifest(target, digest), digest) for digest in portion.manifests),
        ]
        for here, there, digest in pairs:
            node, path = self._node(here, digest), path_of(there)
            held = self._target.tree.node(path)
            if held is not None and held.sha256 == node.sha256:
                self._target.permit(self._request, Action.WRITE, path)
                expected[path] = held.sha256
            else:
                uploads.append(await self._named(bundle, node, path, digest))
        if portion.digest is not None:
            digest = portion.digest
            node, path = self._node(Manifest(image, portion.tag), digest), path_of(Manifest(target, portion.target_tag))
            held = self._target.tree.node(path)
            if held is not None and held.sha256 != node.sha256:
                self._target.permit(self._request, Action.DELETE, path)
            expected[path] = None if held is None else held.sha256
            uploads.append(await self._named(bundle, node, path, digest))
        return await bundle.publish(uploads, (), expected)

    def _node(self, address: Layer | Manifest, digest: Digest) -> Node:
        path = path_of(address)
        self._source.permit(self._request, Action.READ, path)
        node = self._source.tree.node(path)
        if node is None:
            raise self._lacking(digest)
        return node

    async def _named(self, bundle: Bundled, node: Node, path: str, digest: Digest) -> tuple[Upload, Piece]:
        """A node of the same bytes, with the same properties, but that what refers to another one names its new image."""
        by = self._target.permit(self._request, Action.WRITE, path)
        piece = await bundle.link((digest,), lambda each: (each.repository, each.path) == (node.repository, node.path))
        if piece is None or piece.sha256 != node.sha256:
            raise RegproxyError(Kind.CONFLICT, f"{node.path!a} has just changed or gone")
        properties = dict(self._source.tree.properties(node.path))
        if SUBJECT in properties:
            behind = len(self._order.image)
            properties[SUBJECT] = tuple(f"{self._order.target_image}{each[behind:]}" for each in properties[SUBJECT])
        head = Head(media_type=node.head.media_type, etag=node.head.etag)
        return Upload(path, (digest,), properties, by, may_replace=True, head=head), piece

    # Leaving.

    async def _leave(self, portions: Sequence[Portion]) -> None:
        """Take from here what is there by now, and what nothing that stays needs."""
        contents, image = Contents(self._source), self._order.image
        moved = {each.tag for each in portions}
        went = {digest for each in portions for digest in each.manifests}
        nodes = await contents.tags(image) or ()
        staying = {digest_of(node) for node in nodes if tag_of(node, image) not in moved}
        needed = await contents.with_all(image, staying | (set(await contents.manifests(image)) - went))
        expected = {path_of(Manifest(image, each.tag)): each.sha256 for each in portions if each.tag}
        removed = [*expected, *(path_of(Manifest(image, digest)) for digest in went - needed.keys())]
        bundle = self._here.bundle()
        try:
            left = await bundle.publish((), removed, expected)
        finally:
            await bundle.close()
        if not left:
            text = f"{image} was pushed to again: it is in {self._there.key}, and has not left {self._here.key}"
            raise RegproxyError(Kind.CONFLICT, text)

    def _missing(self, what: str) -> RegproxyError:
        return RegproxyError(Kind.NOT_FOUND, f"Unable to find {what} in {self._here.key}")

    def _lacking(self, digest: Digest) -> RegproxyError:
        return RegproxyError(Kind.CONFLICT, f"{self._order.image} is not whole in {self._here.key}: it lacks {digest}")
