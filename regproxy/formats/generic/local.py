"""The routes of a local repository: deploy, deploy by checksum, download, delete, and listings of folders."""

from collections.abc import Mapping

import msgspec
from attrs import frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.generic.listing import listing
from regproxy.formats.generic.names import Target, target_of, want_for
from regproxy.model.access import Action
from regproxy.model.deposit import Depositors, Upload
from regproxy.model.headers import Headers
from regproxy.repo.interface import Elsewhere, Hosting, Missing, Receipt, Serving, Text
from regproxy.web.errors import envelope, register
from regproxy.web.guard import guarded, readable
from regproxy.web.items import download_uri, file_info, folder_info
from regproxy.web.promised import NAMES, promised
from regproxy.web.request import ProxyRequest
from regproxy.web.root import new_app

_READ = ["GET", "HEAD"]


def _target(request: ProxyRequest) -> Target:
    return target_of(request.raw_segments[len(request.raw_segments) - len(request.rest) :], request.rest_slash)


def _upload_path(request: ProxyRequest) -> str:
    return _target(request).path


def _is_said(request: ProxyRequest, name: str) -> bool:
    return (request.getHeader(name) or "").lower() == "true"


def _json(value: Mapping[str, object], status: int, location: str) -> Text:
    body = msgspec.json.format(msgspec.json.encode(value), indent=2)
    return Text(body, "application/json", headers=Headers.of(location=location), status=status)


@frozen(eq=False)
class LocalRoutes:
    """The addresses of one repository; an answer is JSON, or Artifactory's envelope.

    Attributes:
        shown: the key in addresses that an answer has, if it is not the repository's own.
    """

    serving: Serving
    _repository: Hosting
    _shown: str = ""

    app = new_app()
    register(app, envelope)

    @app.route("/", methods=_READ)
    @app.route("/<path:path>", methods=_READ)
    async def read(self, request: ProxyRequest, path: str = "") -> None:  # noqa: ARG002 - the request has it undecoded
        """Serve a file, or list a folder."""
        request.node = "/".join(request.rest)
        if not request.rest or not request.rest[-1]:
            self.serving.permit(request, Action.READ, request.node)
            await self.serving.send(request, await self._listing(request, request.node))
            return
        want = want_for(request.rest, request.rest_slash, body=request.method == b"GET")
        self.serving.permit(request, Action.READ, want.path)
        answer = await self._repository.resolve(want)
        if isinstance(answer, Missing) and await self.serving.tree.folder(f"{want.path}/") is not None:
            await self.serving.send(request, Elsewhere(request.path.decode("ascii") + "/", 302))
        else:
            await self.serving.send(request, answer)

    async def _listing(self, request: ProxyRequest, path: str) -> Text | Missing:
        if await self.serving.tree.folder(path) is None:
            return Missing(f"{self._repository.key} does not have it")
        title = f"{self._repository.key}/{path}"
        seen = readable(self.serving, request, path, await self.serving.tree.children(path))
        return listing(title, f"{request.mount}/{path}", seen)

    @app.route("/<path:path>", methods=["PUT"])
    @guarded(Action.WRITE, at=_upload_path)
    async def put(self, request: ProxyRequest, path: str) -> None:  # noqa: ARG002 - as above
        """Deploy: a body, bytes that are here already, or a folder."""
        target = _target(request)
        request.node = target.path
        who = self.serving.permit(request, Action.WRITE, target.path)
        if target.properties:
            self.serving.permit(request, Action.ANNOTATE, target.path)
        if request.getHeader("content-range") is not None:
            raise RegproxyError(Kind.INVALID, "a part of a file is not taken: files are put as a whole")
        if _is_said(request, "x-explode-archive"):
            raise RegproxyError(Kind.INVALID, "archives are stored as they are: X-Explode-Archive is not supported")
        if target.path.endswith("/"):
            await self.serving.send(request, await self._make_folder(request, target.path, who))
            return
        fields = [(name, value) for name in NAMES for value in request.requestHeaders.getRawHeaders(name, [])]
        server_side = self._repository.settings.checksum_policy_type == "server-generated-checksums"
        digests = promised(Headers(tuple(fields)))
        by_checksum = _is_said(request, "x-checksum-deploy")
        may_replace = self.serving.permits(request, Action.DELETE, target.path)
        upload = Upload(target.path, () if server_side and not by_checksum else digests, target.properties, who, may_replace)
        if by_checksum:
            await self.serving.send(request, await self._link(request, upload))
        else:
            await self.serving.send(request, self._created(request, await self._repository.receive(upload, request.body), who))

    async def _link(self, request: ProxyRequest, upload: Upload) -> Text:
        if not upload.promised:
            raise RegproxyError(Kind.INVALID, "a deploy by checksum needs a checksum header")
        receipt = await self._repository.link(upload, lambda node: self.serving.sees(request, node))
        if receipt is None:
            said = ", ".join(f"{each.algorithm.upper()}: {each.hex}" for each in upload.promised)
            return envelope(404, f"Checksum deploy failed. No existing file with {said}")
        return self._created(request, receipt, upload.by)

    def _created(self, request: ProxyRequest, receipt: Receipt, who: str) -> Text:
        base_url, key = self.serving.base_url(request), self._shown or self._repository.key
        digests = {digest.algorithm: digest.hex for digest in receipt.digests}
        depositors = self.serving.tree.depositors(receipt.node) or Depositors(who, who)
        info = file_info(receipt.node, key, base_url, digests, depositors)
        return _json(info, 201, download_uri(base_url, key, receipt.node.path))

    async def _make_folder(self, request: ProxyRequest, path: str, who: str) -> Text | Missing:
        if request.body.length != 0:
            raise RegproxyError(Kind.INVALID, "a folder has no bytes: a path that ends in a slash is one")
        await self._repository.make_folder(path, who)
        folder = await self.serving.tree.folder(path)
        if folder is None:
            return Missing("it was deleted at once")
        base_url, key = self.serving.base_url(request), self._shown or self._repository.key
        return _json(folder_info(folder, key, base_url, ()), 201, download_uri(base_url, key, path))

    @app.route("/<path:path>", methods=["DELETE"])
    @guarded(Action.DELETE)
    async def delete(self, request: ProxyRequest, path: str) -> None:  # noqa: ARG002 - as above
        """Remove a file, or a folder with all that is in it."""
        request.node = "/".join(request.rest)
        if request.rest_slash or not all(request.rest[:-1]) or not request.node:
            raise RegproxyError(Kind.INVALID, "not the path of a file or a folder")
        await self.serving.permit_below(request, Action.DELETE, f"{request.node.rstrip('/')}/")
        who = self.serving.permit(request, Action.DELETE, request.node)
        found = await self._repository.delete(request.node, who)
        if not found and not request.node.endswith("/"):
            found = await self._repository.delete(f"{request.node}/", who)
        gone = Text(b"", "text/plain", status=204)
        await self.serving.send(request, gone if found else Missing(f"{self._repository.key} does not have it"))
