"""LFS objects: the bytes of large files, sent before the commit that names them.

Clients send no credentials to the addresses that they are told, so these are signed, each for one object. An object that somebody
has sent lies at a place of its own until a commit takes it; one that is here and may be read is not sent again.
"""

import re
from typing import Any

from attrs import frozen

from regproxy.errors import Kind
from regproxy.formats.huggingface.address import AddressError, Type
from regproxy.formats.huggingface.local import asked
from regproxy.formats.huggingface.local.calls import Batch, Object, Pieces, Verify
from regproxy.formats.huggingface.local.hosted import to_json
from regproxy.formats.huggingface.local.leftovers import is_lasting
from regproxy.formats.huggingface.local.places import object_place
from regproxy.formats.huggingface.plan import OCTETS
from regproxy.model.access import Action
from regproxy.model.deposit import Upload
from regproxy.model.digest import Digest
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.model.size import parse_size
from regproxy.repo.interface import Hosting, Serving, Text
from regproxy.stream.held import Held
from regproxy.stream.skipping import Skipping
from regproxy.web.request import ProxyRequest

MOST_OBJECTS = 1000
MOST_PARTS = 1000
USUAL_PART = 1 << 30
LFS_JSON = "application/vnd.git-lfs+json"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@frozen
class Objects:
    """The objects of one local repository, for one request; ``endpoint`` is the client's ``HF_ENDPOINT``."""

    _serving: Serving
    _repository: Hosting
    _request: ProxyRequest
    _endpoint: str

    async def batch(self, address: Batch, body: asked.Batch) -> Text:
        """Say where each object goes; one without actions is here."""
        if body.operation != "upload" or body.hash_algo != "sha256":
            raise AddressError(Kind.INVALID, "BadRequest", "only uploads of objects with a SHA-256 are served here")
        if len(body.objects) > MOST_OBJECTS:
            raise AddressError(Kind.TOO_LARGE, "PayloadTooLarge", f"a batch has at most {MOST_OBJECTS} objects")
        found = [await self._offer(address, each, body) for each in body.objects]
        multipart = any("chunk_size" in each.get("actions", {}).get("upload", {}).get("header", {}) for each in found)
        answer = {"transfer": "multipart" if multipart else "basic", "hash_algo": "sha256", "objects": found}
        text = to_json(answer)
        return Text(text.body, LFS_JSON)

    async def _offer(self, address: Batch, each: asked.Object, body: asked.Batch) -> dict[str, Any]:
        said: dict[str, Any] = {"oid": each.oid, "size": each.size}
        if not _SHA256.fullmatch(each.oid) or each.size < 0:
            return said | {"error": {"code": 422, "message": "the oid is no SHA-256, or the size is none"}}
        place = object_place(address.repo, each.oid)
        signature = self._serving.sign(self._request, place, Action.WRITE)
        if await self._is_here(place, each):
            return said
        href = f"{self._objects(address)}/{each.oid}"
        part = self._part(each.size, body)
        upload: dict[str, Any] = {"href": f"{href}?{signature}"}
        if part is not None:
            session = await self._repository.sessions.begin(place)
            upload = self._parts(f"{href}/parts/{session}/{part}", signature, each.size, part)
        verify = {"href": f"{self._objects(address)}/verify"}
        return said | {"actions": {"upload": upload, "verify": verify}}

    def _part(self, size: int, body: asked.Batch) -> int | None:
        """How large the parts of an object are; None for one that is to be sent as a whole."""
        if "multipart" not in body.transfers:
            return None
        set_size = self._repository.settings.upload_part_bytes
        part = parse_size(set_size) if set_size else None
        if part is None:
            part = None if "basic" in body.transfers else USUAL_PART
        if part is None or (size <= part and "basic" in body.transfers):
            return None
        return max(part, -(-size // MOST_PARTS))

    def _parts(self, href: str, signature: str, size: int, part: int) -> dict[str, Any]:
        count = max(1, -(-size // part))
        header = {f"{number:05}": f"{href}/{number}?{signature}" for number in range(1, count + 1)}
        return {"href": f"{href}?{signature}", "header": {"chunk_size": str(part), **header}}

    def _objects(self, address: Batch) -> str:
        repo = address.repo
        kind = "" if repo.type is Type.MODELS else f"{repo.type.value}/"
        return f"{self._endpoint}/{kind}{repo}.git/info/lfs/objects"

    async def _is_here(self, place: str, each: asked.Object) -> bool:
        """Whether a commit may name it without its being sent."""
        sent, now = self._serving.tree.node(place), self._request.began
        if sent is not None and sent.size == each.size and is_lasting(sent, now):
            return True
        named = await self._serving.tree.named_by(Digest("sha256", each.oid))
        found = (node for node in named if node.size == each.size and is_lasting(node, now))
        return any(self._serving.sees(self._request, node) for node in found)

    async def put(self, address: Object) -> Text:
        """Take an object."""
        await self._repository.receive(self._upload(address), self._request.body)
        return to_json({})

    def _upload(self, address: Object | Pieces) -> Upload:
        place = object_place(address.repo, address.oid)
        self._request.node = place
        who = self._serving.permit(self._request, Action.WRITE, place)
        head = Head(media_type=OCTETS, etag=f'"{address.oid}"')
        return Upload(place, (Digest("sha256", address.oid),), by=who, may_replace=True, head=head)

    async def put_part(self, address: Pieces) -> Text:
        """Take a part; of one that is sent again, what is not here yet."""
        upload = self._upload(address)
        sessions, start = self._repository.sessions, (address.number - 1) * address.size
        here = await sessions.received(address.session, upload.path)
        if here < start:
            raise AddressError(Kind.CONFLICT, "Conflict", f"the next byte of this object is number {here}")
        length = self._request.body.length
        if length is None or here - start < length:
            source = Skipping(self._request.body, here - start)
            await sessions.append(address.session, upload.path, source, here)
        return Text(b"", "text/plain", headers=Headers.of(etag=f'"{address.number}"'))

    async def complete(self, address: Pieces) -> Text:
        """The last part is here."""
        upload = self._upload(address)
        await self._repository.sessions.finish(address.session, upload, upload.path, Held(b""))
        return to_json({})

    async def verify(self, address: Verify, body: asked.Object) -> Text:
        """Say whether an object is here."""
        if not _SHA256.fullmatch(body.oid):
            raise AddressError(Kind.INVALID, "BadRequest", "the oid is no SHA-256")
        place = object_place(address.repo, body.oid)
        self._serving.permit(self._request, Action.WRITE, place)
        if not await self._is_here(place, body):
            raise AddressError(Kind.NOT_FOUND, "NotFound", f"there is no object {body.oid} of {body.size} bytes")
        return to_json({})
