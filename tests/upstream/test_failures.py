"""What exceptions of Twisted and OpenSSL mean."""

import pytest
from OpenSSL import SSL
from twisted.internet import error
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.web.client import ResponseFailed, ResponseNeverReceived
from twisted.web.http import PotentialDataLoss

from regproxy.errors import Kind, RegproxyError
from regproxy.upstream.failures import translate, was_cancelled


def lost(*causes: Exception) -> ResponseNeverReceived:
    """As Twisted wraps them."""
    return ResponseNeverReceived([Failure(cause) for cause in causes])


@pytest.mark.parametrize(
    ("problem", "kind", "phrase"),
    [
        (error.DNSLookupError(), Kind.UPSTREAM_DOWN, "cannot be resolved"),
        (error.ConnectionRefusedError(), Kind.UPSTREAM_DOWN, "refuses"),
        (error.TimeoutError(), Kind.UPSTREAM_DOWN, "in time"),
        (error.NoRouteError(), Kind.UPSTREAM_DOWN, "route"),
        (error.ConnectBindError(), Kind.UPSTREAM_DOWN, "cannot be reached"),
        (lost(error.ConnectionLost()), Kind.UPSTREAM_DOWN, "closed"),
        (lost(error.ConnectionLost(), SSL.Error([("a", "b", "c")])), Kind.UPSTREAM_DOWN, "TLS"),
        (SSL.Error([("SSL routines", "", "tls alert certificate expired")]), Kind.UPSTREAM_DOWN, "with us: certificate expired"),
        (SSL.Error([("SSL routines", "", "certificate verify failed")]), Kind.UPSTREAM_DOWN, "not trusted"),
        (ResponseFailed([Failure(lost(error.ConnectionDone()))]), Kind.UPSTREAM_DOWN, "closed"),
        (PotentialDataLoss(), Kind.UPSTREAM_BAD, "complete"),
        (ValueError("GET /secret"), Kind.UPSTREAM_BAD, "not HTTP"),
        (ResponseFailed([Failure(KeyError(b"gzip"))]), Kind.UPSTREAM_BAD, "not HTTP"),
    ],
)
def test_translate(problem: Exception, kind: Kind, phrase: str) -> None:
    """Each has its kind and its words, and the text names host and port."""
    found = translate("host:443", problem)
    assert (found.kind, phrase in found.text, found.text.startswith("host:443 ")) == (kind, True, True)
    assert "secret" not in found.text + found.detail


def test_our_own_stays() -> None:
    """A refusal of ours comes through whatever Twisted wraps around it."""
    own = RegproxyError(Kind.UPSTREAM_BAD, "because")
    assert translate("host:80", ResponseFailed([Failure(error.ConnectionDone()), Failure(own)])) is own


def test_cancelled() -> None:
    """A request that we gave up ourselves is known by that."""
    assert [was_cancelled(each) for each in (CancelledError(), lost(CancelledError()), lost(error.ConnectionLost()))] == [
        True,
        True,
        False,
    ]
