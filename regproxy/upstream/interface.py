"""What a remote repository needs of its upstream.

An implementation follows redirects, authenticates, limits connections and watches the upstream's health; its caller sees one
question and one answer. Whatever goes wrong before there is an answer is a ``RegproxyError``: UPSTREAM_DOWN (cannot be
reached, or assumed so), UPSTREAM_SLOW (no headers within the patience), UPSTREAM_BUSY (it asked to be left alone for a while),
UPSTREAM_BAD (answers nonsense, or points to where it must not).
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from attrs import frozen

from regproxy.model.fetch import Hop
from regproxy.model.headers import Headers
from regproxy.stream.source import Source


@frozen
class Question:
    """One request.

    Attributes:
        url: absolute; credentials of the remote go along only to the origin that its configuration names.
        patience: seconds to wait for the headers, redirects and token requests included.
        scope: for registries: the repository name that a token is asked for.
        stops: which redirects are answers and not followed; None: none.
        lane: what an upstream that limits our rate counts it among: manifests and blobs have limits of their own.
    """

    url: str
    method: str = "GET"
    headers: Headers = Headers()
    patience: float = 120.0
    scope: str = ""
    stops: Callable[[Hop], bool] | None = None
    lane: str = ""


@frozen
class Reply:
    """The answer: any status that is not a redirect that was followed.

    Attributes:
        hops: the redirects in order, then the final answer; never empty.
        source: the body, to be delivered or aborted. Exactly one of the two must be called.
    """

    hops: Sequence[Hop]
    source: Source

    @property
    def status(self) -> int:
        """Of the final answer."""
        return self.hops[-1].status

    @property
    def headers(self) -> Headers:
        """Of the final answer; its Content-Length is there even though Twisted takes it away."""
        return self.hops[-1].headers


class Upstream(Protocol):
    """Where a remote repository gets its artifacts."""

    @property
    def name(self) -> str:
        """Host and port, for error texts, logs and metrics."""

    @property
    def assumed_offline(self) -> bool:
        """It failed recently and is left alone for now: ``ask`` fails at once."""

    @property
    def doubtful(self) -> bool:
        """The last that is known of it is a failure, however long ago: who has a choice does not wait for it."""

    async def ask(self, question: Question) -> Reply:
        """Send a request and return at the headers of the final answer."""

    async def close(self) -> None:
        """Close idle connections; running bodies finish."""
