"""How a remote repository would get what is wanted: the plan that a format makes, and what it makes of the answer.

All pure. A remote repository (``repo/remote.py``) carries a ``Fetch`` out; a format only writes it down.
"""

from collections.abc import Callable, Sequence

from attrs import frozen

from regproxy.model.digest import Digest
from regproxy.model.freshness import Freshness
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.model.validators import is_strong
from regproxy.model.want import Want


@frozen
class Hop:
    """One answer on the way to a body: the redirects in their order, then the answer that has the body."""

    url: str
    status: int
    headers: Headers


@frozen
class Announced:
    """What upstream's headers say about the body that follows.

    Attributes:
        head: what our own responses will say; its length is overruled by the body's framing where the two disagree.
        digests: what the body must hash to; empty where nobody promised anything.
        also: further paths of the repository, of immutable nodes: the body, once it is verified and stored, is a node at each of
            them too, with the same head (a manifest that was got by its tag, at its digest).
    """

    head: Head
    digests: tuple[Digest, ...] = ()
    also: tuple[str, ...] = ()


@frozen
class Sidecar:
    """Another document of the same repository that says what the body must hash to.

    It is resolved as any other want while the body is flowing, and awaited before the tail is let go.

    Attributes:
        want: the document.
        read: its bytes → digests; none if it does not know this body. ``ValueError`` for a document that is not one.
    """

    want: Want
    read: Callable[[bytes], tuple[Digest, ...]]


def announced(hops: Sequence[Hop], keep: frozenset[str] = frozenset(), digest: Digest | None = None) -> Announced:
    """Read the usual headers of the last hop; ``digest`` is what the address promised, and then is the ETag."""
    headers = hops[-1].headers
    etag = headers.first("etag")
    content_id = f'"{digest}"' if digest else None
    length = headers.first("content-length")
    head = Head(
        length=int(length) if length is not None and length.isascii() and length.isdigit() else None,
        media_type=headers.first("content-type"),
        etag=content_id or (etag if etag and is_strong(etag) else None),
        last_modified=headers.first("last-modified"),
        kept=headers.only(keep),
    )
    return Announced(head, (digest,) if digest else ())


@frozen
class Probe:
    """How to find out by a HEAD whether a stale copy is still what upstream has, where a GET costs more (a registry's tags).

    While a stale copy is held, a HEAD goes to the url of the ``Fetch``; if nothing changed the copy is fresh again, otherwise a
    GET follows.

    Attributes:
        headers: of the HEAD, in place of those of the ``Fetch``.
        unchanged: the head of the stored copy and the hops of the HEAD's 200 → whether they mean the same bytes.
    """

    headers: Headers
    unchanged: Callable[[Head, Sequence[Hop]], bool]


@frozen
class Fetch:
    """A plan to get one want from upstream.

    Attributes:
        url: absolute.
        headers: to be sent, beside those that every request of the remote has.
        freshness: how long the answer may be believed.
        read: the hops of a 200 → what they announce.
        keep: headers of an *error* answer that the format wants to see again (``X-Error-Code`` and the like).
        sidecar: where else the digest stands.
        accept_html: an HTML body is what is asked for, not a login page in place of it.
        probe: how a stale copy is revalidated; None: by a conditional GET.
        scope: for registries: the repository name that a token is asked for.
        head_stops: whether a redirect's own headers are answer enough for a HEAD (``read`` then sees it as the last hop); other
            redirects are followed. A GET follows all of them.
    """

    url: str
    freshness: Freshness
    headers: Headers = Headers.of(accept="*/*")
    read: Callable[[Sequence[Hop]], Announced] = announced
    keep: frozenset[str] = frozenset()
    sidecar: Sidecar | None = None
    accept_html: bool = False
    probe: Probe | None = None
    scope: str = ""
    head_stops: Callable[[Hop], bool] | None = None
