"""Manifests that are pushed: put at their digest, and then named by their tags.

A tag is a second node of the same bytes. A client that is told 201 finds both; one that is cut between them has pushed a
manifest without a tag. What a manifest refers to has to be in its image, but for the subject, which may come later or never.
"""

from collections.abc import Sequence
from typing import Protocol
from urllib.parse import parse_qsl

from attrs import frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.oci import address, manifest
from regproxy.formats.oci.address import AddressError, Layer, parse_reference
from regproxy.formats.oci.contents import SUBJECT, Contents, path_of
from regproxy.formats.oci.failures import API_VERSION
from regproxy.formats.oci.plan import DIGEST_HEADER
from regproxy.formats.oci.retention import Retention
from regproxy.model.access import Action
from regproxy.model.deposit import Upload
from regproxy.model.digest import Digest
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.repo.interface import Hosting, Serving, Text
from regproxy.stream.held import Held
from regproxy.web.body import read_whole
from regproxy.web.request import ProxyRequest

MOST_TAGS = 50
DEEPEST = 8
"""An index may list indexes, and so on; what is deeper is not got from elsewhere."""


class Supply(Protocol):
    """Where what is not in an image may come from, so that a client that was told it is there need not send it."""

    async def blob(self, layer: Layer) -> bool:
        """Put a blob into the image; False if it cannot be had."""

    async def manifest(self, at: address.Manifest) -> tuple[bytes, str] | None:
        """A manifest and its media type, to be put there."""


@frozen
class Tagging:
    """Takes manifests into one repository."""

    _serving: Serving
    _repository: Hosting
    _image_url: str
    _supply: Supply | None = None

    async def put(self, request: ProxyRequest, at: address.Manifest) -> Text:
        """Take a manifest; ``AddressError`` says why not."""
        request.node = path_of(at)
        self._serving.permit(request, Action.WRITE, request.node)
        tags = _tags(request, at)
        body = await read_whole(request.body, manifest.LIMIT)
        found = await self._serving.apart(lambda: manifest.read_manifest(body, request.getHeader("content-type")))
        digest = await self._serving.apart(lambda: _digest(at, body))
        await self._complete(request, at.name, found)
        await self._store(request, address.Manifest(at.name, digest), found, body)
        for tag in tags:
            await self._tag(request, address.Manifest(at.name, tag), digest, found.media_type)
        if tags:
            await Retention(self._serving, self._repository).apply(at.name, tags)
        fields = [("location", f"{self._image_url}/manifests/{at.reference}"), (DIGEST_HEADER, str(digest)), API_VERSION]
        if found.subject is not None:
            fields.append(("oci-subject", str(found.subject)))
        if isinstance(at.reference, Digest):
            fields += [("oci-tag", tag) for tag in tags]
        return Text(b"", "text/plain", headers=Headers(tuple(fields)), status=201)

    async def _complete(self, request: ProxyRequest, image: str, found: manifest.Manifest, depth: int = 0) -> None:
        """Everything that it consists of has to be there, or come from elsewhere."""
        contents = Contents(self._serving)
        wanted: list[Layer | address.Manifest] = [
            *(Layer(image, digest) for digest in found.layers),
            *(address.Manifest(image, digest) for digest in found.manifests),
        ]
        missing = [each for each in wanted if contents.node(each) is None]
        for number, each in enumerate(missing):
            if not await self._supplied(request, each, depth):
                first = each.digest if isinstance(each, Layer) else each.reference
                text = f"{len(missing) - number} of what it refers to is not in this image, first of all {first}"
                raise AddressError(Kind.NOT_FOUND, "MANIFEST_BLOB_UNKNOWN", text)

    async def _supplied(self, request: ProxyRequest, wanted: Layer | address.Manifest, depth: int) -> bool:
        if self._supply is None or depth == DEEPEST:
            return False
        if isinstance(wanted, Layer):
            return await self._supply.blob(wanted)
        brought = await self._supply.manifest(wanted)
        if brought is None:
            return False
        body, media_type = brought
        found = await self._serving.apart(lambda: manifest.read_manifest(body, media_type))
        await self._complete(request, wanted.name, found, depth + 1)
        await self._store(request, wanted, found, body)
        return True

    async def _store(self, request: ProxyRequest, at: address.Manifest, found: manifest.Manifest, body: bytes) -> None:
        path = path_of(at)
        who = self._serving.permit(request, Action.WRITE, path)
        digest = at.reference
        assert isinstance(digest, Digest)
        properties = {} if found.subject is None else {SUBJECT: (f"{at.name}@{found.subject}",)}
        head = Head(media_type=found.media_type, etag=f'"{digest}"')
        upload = Upload(path, (digest,), properties, who, may_replace=True, head=head)
        await self._repository.receive(upload, Held(body))

    async def _tag(self, request: ProxyRequest, tag: address.Manifest, digest: Digest, media_type: str) -> None:
        path, manifest_path = path_of(tag), path_of(address.Manifest(tag.name, digest))
        who = self._serving.permit(request, Action.WRITE, path)
        tree = self._serving.tree
        held, wanted = tree.node(path), tree.node(manifest_path)
        is_same = held is not None and wanted is not None and held.sha256 == wanted.sha256
        may_replace = is_same or self._serving.permits(request, Action.DELETE, path)
        upload = Upload(path, (digest,), by=who, may_replace=may_replace, head=Head(media_type=media_type, etag=f'"{digest}"'))
        key = tree.key
        receipt = await self._repository.link(upload, lambda node: (node.repository, node.path) == (key, manifest_path))
        if receipt is None:
            raise RegproxyError(Kind.CONFLICT, "the manifest was deleted before it could be tagged")


def _tags(request: ProxyRequest, at: address.Manifest) -> Sequence[str]:
    """The tags to put: that of the address, or those of the query."""
    if not isinstance(at.reference, Digest):
        return [at.reference]
    asked = parse_qsl(request.uri.partition(b"?")[2].decode("latin-1"), max_num_fields=MOST_TAGS)
    found = [parse_reference(value) for name, value in asked if name == "tag"]
    return [tag for tag in dict.fromkeys(found) if isinstance(tag, str)]


def _digest(at: address.Manifest, body: bytes) -> Digest:
    if not isinstance(at.reference, Digest):
        return Digest.of(body)
    found = Digest.of(body, at.reference.algorithm)
    if found != at.reference:
        raise AddressError(Kind.INVALID, "DIGEST_INVALID", f"the manifest is {found}, not {at.reference}")
    return found
