"""The head of an artifact: all that a response says about a body, fixed before its first byte.

A hit, a fill and a HEAD make their headers from the same ``Head``, so they cannot disagree.
"""

from attrs import evolve, frozen

from regproxy.model.headers import Headers


@frozen(cache_hash=True)
class Head:
    """What is known of a body when its first byte is sent.

    Attributes:
        length: bytes; None while an upstream sends without saying.
        media_type: as upstream said; None leaves the header out.
        etag: quoted, as it is sent (``"…"`` or ``W/"…"``): the content id where one is known, else upstream's.
        last_modified: an HTTP date, verbatim.
        kept: further upstream headers that the format replays.
        sha256: of the body, once known.
    """

    length: int | None = None
    media_type: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    kept: Headers = Headers()
    sha256: str | None = None

    def landed(self, length: int, sha256: str) -> "Head":
        """The same head when the whole body is there."""
        return evolve(self, length=length, sha256=sha256)
