"""Commands of the control socket that fail in a way that nobody has thought of."""

from typing import Any, cast

import pytest
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.web.test.requesthelper import DummyRequest

from regproxy.keeping import Post


@pytest.mark.parametrize("leaves", [True, False])
def test_who_asks_is_not_left_waiting(*, leaves: bool) -> None:
    """He hears that it failed, and the log says why."""

    async def command(_: str) -> object:
        if leaves:
            request.processingFailed("gone")
        raise OSError("the disk")

    events: list[Any] = []
    request: Any = DummyRequest([b"gc"])
    globalLogPublisher.addObserver(cast(ILogObserver, events.append))
    try:
        Post(command).render_POST(request)
    finally:
        globalLogPublisher.removeObserver(cast(ILogObserver, events.append))
    assert (request.responseCode, request.finished) == ((None, 0) if leaves else (500, 1))
    assert [event["why"] for event in events] == ["a command"]
