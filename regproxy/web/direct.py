"""A small resource in front of a format's Klein app: GET and HEAD, which are nearly all that a cache is asked, go straight to the
coroutine that the app's own route would call. Klein keeps the other methods and what they are answered.

Bare twisted.web answers about twice as many small requests as a Klein route does; this is that half.
"""

from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from regproxy.web.errors import Shape, explain
from regproxy.web.request import ProxyRequest

_READ = frozenset({b"GET", b"HEAD"})

Read = Callable[[ProxyRequest], Coroutine[Any, Any, None]]


@implementer(IResource)
@define(eq=False)
class Direct:
    """Calls ``read`` for GET and HEAD, and lets ``routes`` answer the rest."""

    _read: Read
    _routes: IResource
    _shape: Shape
    isLeaf: bool = field(default=True, init=False)  # noqa: N815 - Twisted's name

    def getChildWithDefault(self, name: bytes, request: ProxyRequest) -> IResource:  # noqa: ARG002, N802 - Twisted's
        """A leaf has no children."""
        return self

    def putChild(self, path: bytes, child: IResource) -> None:  # noqa: ARG002, N802 - Twisted's
        """A leaf has no children."""
        raise TypeError("a leaf")

    def render(self, request: ProxyRequest) -> bytes | int:
        """Answer, now or later."""
        if request.method not in _READ:
            request.prepare_for_klein()
            answer: bytes | int = self._routes.render(request)
            return answer
        reading = self._read(request)
        try:
            waiting = reading.send(None)
        except StopIteration:
            _finish(None, request)
        except Exception:  # noqa: BLE001 - the last place where it can be answered
            self._failed(Failure(), request)
            _finish(None, request)
        else:
            running = Deferred.fromCoroutine(_go_on(reading, waiting))
            # As Klein does: what waits for a client that has gone is cancelled.
            request.notifyFinish().addErrback(lambda _: running.cancel())
            running.addErrback(self._failed, request).addCallback(_finish, request)
        return int(NOT_DONE_YET)

    def _failed(self, failure: Failure, request: ProxyRequest) -> None:
        if not failure.check(CancelledError):
            explain(request, failure, self._shape)


@coroutine
def _go_on(reading: Coroutine[Any, Any, None], waiting: Any) -> Generator[Any, Any, None]:
    """Carry on a coroutine that has begun to wait; one that never waits, as for most hits, costs no Deferred at all."""
    while True:
        try:
            got = yield waiting
        except BaseException as error:  # noqa: BLE001 - it belongs to the coroutine, the end of a generator too
            step: Callable[[], Any] = lambda error=error: reading.throw(error)  # type: ignore[misc] # noqa: E731 - one of two
        else:
            step = lambda got=got: reading.send(got)  # type: ignore[misc] # noqa: E731 - the other
        try:
            waiting = step()
        except StopIteration:
            return


def _finish(_: None, request: ProxyRequest) -> None:
    if not (request._disconnected or request.finished):  # noqa: SLF001 - Twisted has no public word for a client that has gone
        request.finish()
