"""Serves large files by Xet: clients refuse to fetch them as plain files. What they are told of: ``windows.py``."""

import os
from collections.abc import AsyncIterator, Sequence

from attrs import define, frozen
from twisted.internet.interfaces import IPushProducer

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.huggingface.address import AddressError, Id
from regproxy.formats.huggingface.local.hosted import to_json
from regproxy.formats.huggingface.names import folder_of
from regproxy.formats.huggingface.xet.calls import Data, Reconstruction
from regproxy.formats.huggingface.xet.windows import Window, reconstruction
from regproxy.model.access import Action
from regproxy.model.digest import Digest
from regproxy.model.node import Node
from regproxy.model.ranges import Span, Unsatisfiable, parse_range
from regproxy.model.want import Shape, Want
from regproxy.repo.interface import Body, Hosting, Serving, Text
from regproxy.stream.pulled import Pulled
from regproxy.stream.source import Readable
from regproxy.web.request import ProxyRequest

BATCH = 8
"""So many chunks are read in one go."""


@define(eq=False)
class _Sending:
    """A consumer that is the client."""

    _request: ProxyRequest

    def start(self, producer: IPushProducer) -> None:
        self._request.registerProducer(producer, streaming=True)

    def write(self, data: bytes) -> None:
        self._request.write(data)


@frozen
class Reading:
    """Answers one request; ``store`` is the address of the repository's store, as the client knows it."""

    _serving: Serving
    _repository: Hosting
    _request: ProxyRequest
    _store: str

    async def reconstruct(self, call: Reconstruction) -> Text:
        """Say how a file, or a span of it, is put together, and where its parts are."""
        node = await self._node(call.repo, call.sha256)
        span = self._span(node.size)
        signature = self._serving.sign(self._request, node.path, Action.READ)
        url = f"{self._store}/data/{call.sha256}/{{window}}?{signature}"
        return to_json(reconstruction(call.sha256, span, node.size, url, is_new=call.is_new))

    async def send(self, call: Data) -> None:
        """Send a part of a window: exactly that, for what is more would be taken for something else."""
        node = await self._node(call.repo, call.sha256)
        window = Window(call.window, node.size)
        span = self._span(window.framed if window.size > 0 else 0)
        found = await self._repository.resolve(Want(node.path, Shape.BLOB, body=False))
        if not isinstance(found, Body):
            raise RegproxyError(Kind.STORAGE, "the bytes of this file are lost", detail=node.path)
        try:
            self._request.setResponseCode(206)
            self._request.setHeader("content-range", f"bytes {span.start}-{span.stop - 1}/{window.framed}")
            self._request.setHeader("content-length", str(len(span)))
            self._request.setHeader("content-type", "application/octet-stream")
            await Pulled(len(span), self._pieces(found.readable, window, span)).deliver(_Sending(self._request))
            self._request.unregisterProducer()
        finally:
            found.readable.release()

    async def _pieces(self, readable: Readable, window: Window, span: Span) -> AsyncIterator[bytes]:
        frames = list(window.frames(span))
        for at in range(0, len(frames), BATCH):
            yield await self._serving.apart(lambda some=frames[at : at + BATCH]: _read(readable, some))  # type: ignore[misc] # a default, not a parameter

    async def _node(self, repo: Id, sha256: str) -> Node:
        """A file of this repository with these bytes that who asks may read."""
        folder = f"{folder_of(repo)}/"
        named = await self._serving.tree.named_by(Digest("sha256", sha256))
        inside = [node for node in named if node.path.startswith(folder)]
        node = next((each for each in inside if self._serving.permits(self._request, Action.READ, each.path)), None)
        if node is None:
            self._serving.permit(self._request, Action.READ, inside[0].path if inside else folder)
            raise AddressError(Kind.NOT_FOUND, "NotFound", "there is no such file here")
        self._serving.permit(self._request, Action.READ, node.path)
        refused = self._repository.refusal(node.path)
        if refused is not None:
            raise RegproxyError(Kind.DENIED, refused.reason)
        self._request.node = node.path
        return node

    def _span(self, size: int) -> Span:
        """What is asked for."""
        asked = self._request.getHeader("range")
        try:
            spans = None if asked is None else parse_range(asked, size)
        except Unsatisfiable:
            spans = []
        if spans is None and size:
            return Span(0, size)
        if spans is None or len(spans) != 1:
            self._request.setHeader("content-range", f"bytes */{size}")
            raise RegproxyError(Kind.UNSATISFIABLE_RANGE, "no byte of the range that was asked for exists")
        return spans[0]


def _read(readable: Readable, frames: Sequence[tuple[bytes, Span]]) -> bytes:
    found = []
    for header, span in frames:
        data = os.pread(readable.fileno(), len(span), span.start)
        if len(data) != len(span):
            raise RegproxyError(Kind.STORAGE, "the file is shorter than it should be")
        found += [header, data]
    return b"".join(found)
