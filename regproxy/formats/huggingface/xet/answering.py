"""The calls of Xet on the wire: tokens, and what is sent by them."""

import json
from collections.abc import Sequence
from typing import Any

from attrs import frozen
from twisted.internet.task import LoopingCall
from txaio.tx import make_logger

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.huggingface.address import AddressError, Id
from regproxy.formats.huggingface.local.hosted import to_json
from regproxy.formats.huggingface.local.leftovers import DAY
from regproxy.formats.huggingface.local.places import xorb_place
from regproxy.formats.huggingface.names import folder_of
from regproxy.formats.huggingface.xet.calls import Data, Reconstruction, Shard, Token, Unknown, XetCall, Xorb
from regproxy.formats.huggingface.xet.reading import Reading
from regproxy.formats.huggingface.xet.receiving import Receiving
from regproxy.formats.huggingface.xet.shard import File
from regproxy.model.access import Action
from regproxy.model.headers import Headers
from regproxy.repo.interface import Hosting, Serving, Text
from regproxy.stream.apart import apart
from regproxy.web.gate import SIGNED_SECONDS
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text

log = make_logger()

HEARTBEAT = 5.0


@frozen
class Xet:
    """One request; ``endpoint`` is the client's ``HF_ENDPOINT``."""

    _serving: Serving
    _repository: Hosting
    _request: ProxyRequest
    _endpoint: str

    async def answer(self, call: XetCall) -> None:
        """Do what is asked, and send the answer."""
        match self._request.method, call:
            case b"GET" | b"HEAD", Token():
                send_text(self._request, self._token(call))
            case b"POST", Xorb():
                is_new = await Receiving(self._serving, self._repository, self._request).xorb(call)
                send_text(self._request, to_json({"was_inserted": is_new}))
            case b"POST", Shard():
                await self._shard(call)
            case b"GET", Reconstruction():
                send_text(self._request, await self._reading(call.repo).reconstruct(call))
            case b"GET", Data():
                await self._reading(call.repo).send(call)
            case _, Unknown():
                raise AddressError(Kind.NOT_FOUND, "NotFound", "there is no such call here")
            case _:
                raise AddressError(Kind.METHOD_NOT_ALLOWED, "MethodNotAllowed", "that cannot be done there")

    def _token(self, call: Token) -> Text:
        if not call.writes:
            self._request.node = folder_of(call.repo)
            self._serving.permit(self._request, Action.READ, f"{folder_of(call.repo)}/**")
            return self._lead(call.repo, 0, Action.READ)
        today = int(self._request.began // DAY)
        self._request.node = xorb_place(call.repo, today, "")
        self._serving.permit(self._request, Action.WRITE, self._request.node)
        return self._lead(call.repo, today, Action.READ, Action.WRITE)

    def _lead(self, repo: Id, generation: int, *wanted: Action) -> Text:
        """Where the store is, and by which token: said twice, for the library and for what moves its bytes."""
        within = f"{folder_of(repo)}/**"
        actions = [each for each in wanted if self._serving.permits(self._request, each, within)]
        _, _, token = self._serving.sign(self._request, within, *actions).partition("=")
        url = self._store(repo, generation)
        ends = int(self._request.began) + SIGNED_SECONDS
        fields = {"x-xet-cas-url": url, "x-xet-access-token": token, "x-xet-token-expiration": str(ends)}
        headers = Headers((*fields.items(), ("cache-control", "no-store")))
        return to_json({"casUrl": url, "accessToken": token, "exp": ends}, headers)

    def _store(self, repo: Id, generation: int = 0) -> str:
        return f"{self._endpoint}/api/xet/{generation}/{repo.type.value}/{repo}"

    def _reading(self, repo: Id) -> Reading:
        return Reading(self._serving, self._repository, self._request, self._store(repo))

    async def _shard(self, call: Shard) -> None:
        receiving = Receiving(self._serving, self._repository, self._request)
        files = await receiving.shard(call)
        if call.streams:
            await self._stream(receiving, call, files)
        else:
            await apart(receiving.assemble(call, files, lambda *_: None), f"files of {self._repository.key}")
            send_text(self._request, to_json({"result": 1}))

    async def _stream(self, receiving: Receiving, call: Shard, files: Sequence[File]) -> None:
        """Say how it goes, line by line: large files take longer than clients wait for the first byte of an answer."""
        progress = {"verified": 0, "total": 0}

        def told(verified: int, total: int) -> None:
            progress.update(verified=verified, total=total)

        self._request.setHeader("content-type", "application/x-ndjson")
        beat = LoopingCall(lambda: self._line({"type": "validating", **progress}))
        beat.clock = self._request.channel.site.reactor
        beat.start(HEARTBEAT, now=True)
        try:
            await apart(receiving.assemble(call, files, told), f"files of {self._repository.key}")
        except RegproxyError as error:
            log.info("{id}: {error!r}: {detail}", id=self._request.request_id, error=error, detail=error.detail)
            self._line({"type": "error", "message": error.text, "retryable": error.kind in (Kind.STORAGE, Kind.UPSTREAM_BUSY)})
        else:
            self._line({"type": "result", "result": 1})
        finally:
            beat.stop()

    def _line(self, said: dict[str, Any]) -> None:
        self._request.write(json.dumps(said).encode() + b"\n")
