"""Probes and metrics: small resources that need no routing. An upstream that is down never makes a cache unready."""

import re
from collections.abc import Awaitable, Callable, Mapping

from attrs import define, evolve, field
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from regproxy.model.headers import Headers
from regproxy.repo.interface import Text
from regproxy.stream.spawn import spawn
from regproxy.web.catalog import Catalog
from regproxy.web.errors import envelope
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text

Checks = Callable[[], Mapping[str, bool | None]]
"""What must hold for the server to be of use; None is degraded only."""

_READ = frozenset({b"GET", b"HEAD"})
_MARKS = {True: "ok", False: "FAILED", None: "DEGRADED"}
_NAMED = re.compile(rb'[{,](repository|webhook)="([^"]*)"')
_NO_STORE = Headers.of(cache_control="no-store")


@implementer(IResource)
@define(eq=False)
class _Leaf:
    isLeaf: bool = field(default=True, init=False)  # noqa: N815 - Twisted's name

    def getChildWithDefault(self, name: bytes, request: ProxyRequest) -> IResource:  # noqa: ARG002, N802 - Twisted's
        return self

    def putChild(self, path: bytes, child: IResource) -> None:  # noqa: N802 - Twisted's name
        raise NotImplementedError("a leaf")

    def render(self, request: ProxyRequest) -> int:
        """Answer what asks; nothing here can be changed."""
        if request.method in _READ:
            self._answer(request)
        else:
            refusal = envelope(405, "this can only be read")
            send_text(request, evolve(refusal, headers=refusal.headers.plus(("allow", "GET, HEAD"))))
            request.finish()
        return int(NOT_DONE_YET)

    def _answer(self, request: ProxyRequest) -> None:
        raise NotImplementedError("each leaf has its own")


@define(eq=False)
class Probe(_Leaf):
    """200 while no check fails, else 503 and those that do; ``?verbose`` lists all, those of None being degraded only."""

    _checks: Checks

    def _answer(self, request: ProxyRequest) -> None:
        checks = self._checks()
        good = False not in checks.values()
        verbose = b"verbose" in request.uri.partition(b"?")[2]  # ``args`` leaves out what has no value
        lines = [f"{_MARKS[held]} {name}" for name, held in checks.items() if verbose or held is False]
        body = "\n".join([*lines, "ok" if good else "not ready", ""]).encode()
        send_text(request, Text(body, "text/plain", headers=_NO_STORE, status=200 if good else 503))
        request.finish()


@define(eq=False)
class MetricsPage(_Leaf):
    """``/metrics``; ``page`` makes it, without keeping the reactor.

    Everybody may see how the server does; numbers of a repository are for those for whom it is there (``Catalog.find``), those
    of a webhook for administrators.
    """

    _page: Callable[[], Awaitable[tuple[bytes, str]]]
    _catalog: Catalog

    async def text(self, request: ProxyRequest) -> Text:
        """The page, as it is for who asks."""
        body, media_type = await self._page()
        principal = request.principal
        if principal is None or not principal.sees_all_numbers:
            body = _without(body, lambda key: self._catalog.find(key, request) is None)
        return Text(body, media_type, headers=_NO_STORE)

    def _answer(self, request: ProxyRequest) -> None:
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)
        spawn(self._send(request, gone), "rendering metrics")

    async def _send(self, request: ProxyRequest, gone: list[object]) -> None:
        text = await self.text(request)
        if not gone:
            send_text(request, text)
            request.finish()


def _without(page: bytes, hides: Callable[[str], bool]) -> bytes:
    """A page without the lines of hidden repositories, and of webhooks."""
    hidden = {label for label in set(_NAMED.findall(page)) if label[0] == b"webhook" or (label[1] and hides(label[1].decode()))}
    if not hidden:
        return page
    lines = page.splitlines(keepends=True)
    return b"".join(line for line in lines if line.startswith(b"#") or hidden.isdisjoint(_NAMED.findall(line)))
