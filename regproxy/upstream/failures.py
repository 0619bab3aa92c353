"""The map from Twisted's and OpenSSL's exceptions to what they mean to the one who asked.

The texts name host and port of the upstream, never a path or a query: queries may be signed.
"""

from collections.abc import Iterator

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet import error
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.web.http import (
    PotentialDataLoss,
    _DataLoss,  # the only name that a cut body has
)

from regproxy.errors import Kind, RegproxyError

HUNG_UP = (Kind.UPSTREAM_DOWN, "closed the connection before the answer was complete")
FAILURES: dict[type[BaseException], tuple[Kind, str]] = {
    error.DNSLookupError: (Kind.UPSTREAM_DOWN, "has a name that cannot be resolved"),
    error.UnknownHostError: (Kind.UPSTREAM_DOWN, "has a name that cannot be resolved"),
    error.ConnectionRefusedError: (Kind.UPSTREAM_DOWN, "refuses connections"),
    error.NoRouteError: (Kind.UPSTREAM_DOWN, "cannot be reached: there is no route to it"),
    error.TCPTimedOutError: (Kind.UPSTREAM_DOWN, "does not accept a connection in time"),
    error.TimeoutError: (Kind.UPSTREAM_DOWN, "does not accept a connection in time"),
    error.SSLError: (Kind.UPSTREAM_DOWN, "could not agree on TLS with us"),
    SSL.Error: (Kind.UPSTREAM_DOWN, "could not agree on TLS with us, or shows a certificate that is not trusted"),
    VerificationError: (Kind.UPSTREAM_DOWN, "shows a certificate of another name"),
    error.ConnectError: (Kind.UPSTREAM_DOWN, "cannot be reached"),
    error.ConnectionLost: HUNG_UP,
    error.ConnectionDone: HUNG_UP,
    error.ConnectionAborted: HUNG_UP,
    PotentialDataLoss: (Kind.UPSTREAM_BAD, "ended a body without saying whether it is complete"),
    _DataLoss: HUNG_UP,
    OSError: (Kind.UPSTREAM_DOWN, "cannot be reached"),
}
UNKNOWN = (Kind.UPSTREAM_BAD, "sent an answer that is not HTTP")


class HungUpError(RegproxyError):
    """It was there, and closed the connection."""


def translate(name: str, problem: BaseException) -> RegproxyError:
    """Say what an exception of Twisted's client means; ``name`` is the upstream's host and port."""
    causes = list(_unwrapped(problem))
    own = next((cause for cause in causes if isinstance(cause, RegproxyError)), None)
    if own is not None:
        return own
    found = next((found for cause in causes if (found := _look_up(cause))), UNKNOWN)
    kind, phrase = next((said for cause in causes if (said := _alert(cause))), found)
    made = HungUpError if found is HUNG_UP else RegproxyError
    return made(kind, f"{name} {phrase}", detail="; ".join(_said(cause) for cause in causes)[:500])


def was_cancelled(problem: BaseException) -> bool:
    """Whether we gave up ourselves: a cancelled request fails with whatever it was at."""
    return any(isinstance(cause, (CancelledError, error.ConnectingCancelledError)) for cause in _unwrapped(problem))


def _look_up(cause: BaseException) -> tuple[Kind, str] | None:
    return next((FAILURES[each] for each in type(cause).__mro__ if each in FAILURES), None)


def _alert(cause: BaseException) -> tuple[Kind, str] | None:
    """What the other side did not like, for which it has but the words of TLS: a client certificate that has expired, mostly."""
    reasons = cause.args[0] if isinstance(cause, SSL.Error) and cause.args and isinstance(cause.args[0], list) else []
    said = next((reason[-1] for reason in reasons if " alert " in reason[-1]), None)
    return None if said is None else (Kind.UPSTREAM_DOWN, f"refuses TLS with us: {said.rpartition(' alert ')[2]}")


def _unwrapped(problem: BaseException) -> Iterator[BaseException]:
    """The exceptions inside one of Twisted's, the telling ones first."""
    reasons = getattr(problem, "reasons", None)
    if not isinstance(reasons, list):
        yield problem
        return
    found = [inner for reason in reasons if isinstance(reason, Failure) for inner in _unwrapped(value_of(reason))]
    # A TLS failure, or our own refusal, comes with a closed connection that explains nothing.
    yield from sorted(found, key=lambda cause: isinstance(cause, (error.ConnectionDone, error.ConnectionLost)))


def value_of(failure: Failure) -> BaseException:
    """The exception in a failure, which is never None once it was made from one."""
    return failure.value or RuntimeError("a failure without an exception")


def _said(cause: BaseException) -> str:
    return type(cause).__name__ if isinstance(cause, ValueError) else f"{type(cause).__name__}: {cause}"
