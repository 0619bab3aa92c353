"""Requests whose client has gone."""

from types import SimpleNamespace
from typing import cast

from regproxy.web.request import ProxyRequest


def test_nothing_is_left_to_cut() -> None:
    """A failure may be told of a response whose connection is lost."""
    gone = SimpleNamespace(channel=None, chunked=1)
    ProxyRequest.cut(cast(ProxyRequest, gone))
    assert gone.chunked == 0
