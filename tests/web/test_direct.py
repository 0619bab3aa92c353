"""Coroutines that answer: those that never wait, those that do, those that fail, those whose client leaves."""

import errno
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater

from regproxy.errors import Kind, RegproxyError
from regproxy.repo.interface import Text
from regproxy.web.direct import Direct
from regproxy.web.errors import envelope
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text
from tests.fakes.site import Client, Stage


def direct(read: Callable[[ProxyRequest], Coroutine[Any, Any, None]]) -> Direct:
    """Nothing but reading."""
    return Direct(read, cast(Any, None), envelope)


async def later(result: Any = None) -> Any:
    """Wait for the event loop, then return a value or raise an error."""
    from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

    await deferLater(cast(Any, reactor), 0)
    if isinstance(result, Exception):
        raise result
    return result


@pytest.mark.parametrize("waits", [0, 1, 3])
@pytest_twisted.ensureDeferred
async def test_an_answer(waits: int) -> None:
    """Comes whole, however often was waited for it, and with what was waited for."""

    async def read(request: ProxyRequest) -> None:
        words = [await later(str(number)) for number in range(waits)]
        send_text(request, Text("".join(words).encode(), "text/plain"))

    async with Stage(direct(read)) as stage:
        assert (await stage.get()).body == "012"[:waits].encode()


@pytest.mark.parametrize("waits", [0, 1, 2])
@pytest_twisted.ensureDeferred
async def test_a_refusal(waits: int) -> None:
    """Has the status of what was raised."""

    async def read(request: ProxyRequest) -> None:
        for _ in range(waits):
            await later()
        raise RegproxyError(Kind.DENIED, "not for you")

    async with Stage(direct(read)) as stage:
        reply = await stage.get()
        assert (reply.status, b"not for you" in reply.body) == (403, True)


@pytest_twisted.ensureDeferred
async def test_what_is_used_up() -> None:
    """Descriptors come back when others have ended: the client is told to try again."""

    async def read(request: ProxyRequest) -> None:
        raise OSError(errno.EMFILE, "too many open files")

    async with Stage(direct(read)) as stage:
        reply = await stage.get()
        assert (reply.status, reply.headers["retry-after"]) == (503, "5")


@pytest_twisted.ensureDeferred
async def test_a_failure_that_is_foreseen() -> None:
    """Reaches the coroutine where it waits."""

    async def read(request: ProxyRequest) -> None:
        try:
            await later(KeyError("x"))
        except KeyError:
            send_text(request, Text(await later(b"went on"), "text/plain"))

    async with Stage(direct(read)) as stage:
        assert (await stage.get()).body == b"went on"


@pytest_twisted.ensureDeferred
async def test_a_client_that_leaves() -> None:
    """Cancels what waits for nobody but it."""
    cancelled: Deferred[None] = Deferred()

    async def read(request: ProxyRequest) -> None:
        try:
            await Deferred()
        except CancelledError:
            cancelled.callback(None)
            raise

    def work(client: Client) -> None:
        client.send(b"GET /f HTTP/1.1\r\nHost: a\r\n\r\n")

    async with Stage(direct(read)) as stage:
        await stage.ask(work)
        await cancelled
