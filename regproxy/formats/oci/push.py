"""What clients put into a local repository of images, and take out of it: blobs in every style of upload, mounts, deletes.

A blob is a node of its image before the client hears 201, and a manifest (``tagging.py``) only refers to what is there. Whatever
is refused has changed nothing, but that a piece of a blob that was cut stays for the client to go on with.
"""

import re
from collections.abc import Callable, Sequence
from urllib.parse import parse_qsl

from attrs import frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.oci.address import Address, AddressError, Begun, Layer, Manifest, Uploads, parse_digest, parse_name
from regproxy.formats.oci.contents import Contents, blob_of, path_of
from regproxy.formats.oci.failures import API_VERSION, error_text, unknown
from regproxy.formats.oci.names import canonical, want_for
from regproxy.formats.oci.plan import DIGEST_HEADER
from regproxy.formats.oci.tagging import Supply, Tagging
from regproxy.model.access import Action
from regproxy.model.deposit import Upload
from regproxy.model.digest import Digest
from regproxy.model.headers import Headers
from regproxy.model.node import Node
from regproxy.model.session import place
from regproxy.repo.interface import Hosting, Receipt, Serving, Text, WrongDigestError
from regproxy.web.errors import STATUS
from regproxy.web.request import ProxyRequest

Sources = Callable[[str], Sequence[tuple[Serving, str]]]
"""Which image of which repositories the ``from`` of a mount may mean."""

_RANGE = re.compile(r"(?:bytes[ =])?(\d{1,18})-(\d{1,18})(?:/(?:\d+|\*))?")


@frozen
class Push:
    """Changes one repository.

    Attributes:
        image_url: the external path of the image.
        supply: brings what a manifest refers to and is not there.
    """

    _serving: Serving
    _repository: Hosting
    _sources: Sources
    image_url: str
    supply: Supply | None = None

    async def answer(self, request: ProxyRequest, address: Address) -> Text:
        """Do what is asked; ``AddressError`` for what cannot be done, or makes no sense."""
        try:
            return await self._answer(request, address)
        except AddressError:
            raise
        except WrongDigestError as error:
            return error_text(400, "DIGEST_INVALID", error.text)
        except RegproxyError as error:
            if isinstance(address, Begun) and error.kind in _OF_UPLOADS:
                return error_text(STATUS[error.kind], _OF_UPLOADS[error.kind], error.text)
            raise

    async def _answer(self, request: ProxyRequest, address: Address) -> Text:
        match request.method, address:
            case b"POST", Uploads():
                return await self._begin(request, address)
            case _, Begun():
                return await self._session(request, address)
            case b"PUT", Manifest():
                return await Tagging(self._serving, self._repository, self.image_url, self.supply).put(request, address)
            case b"DELETE", Manifest() | Layer():
                return await self._delete(request, address)
        request.responseHeaders.setRawHeaders("allow", ["GET, HEAD"])
        raise AddressError(Kind.METHOD_NOT_ALLOWED, "UNSUPPORTED", "that cannot be done there")

    async def _session(self, request: ProxyRequest, address: Begun) -> Text:
        """An upload that comes in pieces."""
        self._writer(request, address)
        sessions = self._repository.sessions
        match request.method:
            case b"PATCH":
                size = await sessions.append(address.session, address.name, request.body, _offset(request))
                return self._progress(address, size, 202)
            case b"PUT":
                return await self._finish(request, address)
            case b"DELETE":
                await sessions.cancel(address.session, address.name)
                return _done(204)
        return self._progress(address, await sessions.received(address.session, address.name), 204)

    def _writer(self, request: ProxyRequest, address: Begun | Uploads) -> str:
        session = address.session if isinstance(address, Begun) else ""
        request.node = place(address.name, session)
        return self._serving.permit(request, Action.WRITE, request.node)

    async def _begin(self, request: ProxyRequest, address: Uploads) -> Text:
        """A mount, all of a blob, or the begin of a session."""
        self._writer(request, address)
        query = _query(request)
        if "mount" in query:
            receipt = await self._mount(request, Layer(address.name, parse_digest(query["mount"])), query.get("from"))
            if receipt is not None:
                return receipt
        if "digest" in query:
            upload = self._blob(request, Layer(address.name, parse_digest(query["digest"])))
            return self._created(upload, await self._repository.receive(upload, request.body))
        if query.get("digest-algorithm", "sha256") not in ("sha256", "sha512"):
            raise AddressError(Kind.INVALID, "DIGEST_INVALID", "neither sha256 nor sha512")
        name = await self._repository.sessions.begin(address.name)
        return self._progress(Begun(address.name, name), 0, 202)

    async def _mount(self, request: ProxyRequest, layer: Layer, source: str | None) -> Text | None:
        """Name bytes that are here; None unless the client may read them where it says they are, or anywhere if it doesn't."""
        if source is None:
            may_use: Callable[[Node], bool] = lambda node: self._serving.sees(request, node)  # noqa: E731 - one of two
        else:
            places = set()
            for serving, image in self._sources(source):
                wanted = want_for(Layer(parse_name(image.split("/")), layer.digest), serving.repository.settings.url)
                places.add((serving.tree.key, wanted.path))
            may_use = lambda node: (node.repository, node.path) in places and self._serving.sees(request, node)  # noqa: E731 - the other
        upload = self._blob(request, layer)
        receipt = await self._repository.link(upload, may_use)
        return None if receipt is None else self._created(upload, receipt)

    async def _finish(self, request: ProxyRequest, address: Begun) -> Text:
        upload = self._blob(request, Layer(address.name, parse_digest(_query(request).get("digest", ""))))
        sessions = self._repository.sessions
        receipt = await sessions.finish(address.session, upload, address.name, request.body, _offset(request))
        return self._created(upload, receipt)

    async def _delete(self, request: ProxyRequest, address: Manifest | Layer) -> Text:
        """A tag, a blob, or a manifest with all tags that name it."""
        contents = Contents(self._serving)
        request.node = path_of(address)
        self._serving.permit(request, Action.DELETE, request.node)
        node = contents.node(address)
        if node is None:
            return error_text(404, unknown(address), f"{self._repository.key} does not have it")
        gone = [node]
        if isinstance(address, Manifest) and isinstance(address.reference, Digest):
            gone = [*await contents.tags_of(node, address.name), node]
        for each in gone:
            self._serving.permit(request, Action.DELETE, each.path)
        for each in gone:
            await self._repository.delete(each.path)
        return _done(202)

    def _blob(self, request: ProxyRequest, layer: Layer) -> Upload:
        request.node = path_of(layer)
        return blob_of(layer, self._serving.permit(request, Action.WRITE, request.node))

    def _created(self, upload: Upload, receipt: Receipt) -> Text:  # noqa: ARG002 - there is one: the bytes are there
        digest = str(upload.promised[0])
        return _done(201, ("location", f"{self.image_url}/blobs/{digest}"), (DIGEST_HEADER, digest))

    def _progress(self, address: Begun, size: int, status: int) -> Text:
        location = f"{self.image_url}/blobs/uploads/{address.session}"
        return _done(status, ("location", location), ("range", f"0-{max(size - 1, 0)}"), ("docker-upload-uuid", address.session))


_OF_UPLOADS = {
    Kind.NOT_FOUND: "BLOB_UPLOAD_UNKNOWN",
    Kind.CONFLICT: "BLOB_UPLOAD_INVALID",
    Kind.INVALID: "BLOB_UPLOAD_INVALID",
    Kind.UNSATISFIABLE_RANGE: "BLOB_UPLOAD_INVALID",
}


def _done(status: int, *fields: tuple[str, str]) -> Text:
    return Text(b"", "text/plain", headers=Headers((*fields, API_VERSION)), status=status)


def _query(request: ProxyRequest) -> dict[str, str]:
    text = request.uri.partition(b"?")[2].decode("latin-1")
    canonical(text)  # refuses what is absurd
    return dict(parse_qsl(text, keep_blank_values=True))


def _offset(request: ProxyRequest) -> int | None:
    """Where a piece begins, if the client says so."""
    text = request.getHeader("content-range")
    if text is None:
        return None
    found = _RANGE.fullmatch(text.strip())
    if found is None:
        raise AddressError(Kind.INVALID, "BLOB_UPLOAD_INVALID", "Content-Range is to be first-last")
    start, last = map(int, found.groups())
    length = request.body.length
    if length is not None and length != last - start + 1:
        raise AddressError(Kind.INVALID, "SIZE_INVALID", "Content-Range and Content-Length disagree")
    return start
