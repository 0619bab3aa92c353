"""Headers of a response that need no second look: names as they are written, values of one line, checked by whoever made them.

Twisted looks a name up and cleans a value at each ``setRawHeaders``; with ten headers that is a tenth of a small hit. To ask for
headers that hardly any request has costs a look-up and a list each, too.
"""

from collections.abc import Iterable

from twisted.web.http_headers import Headers


def spelled(name: bytes) -> bytes:
    """A name as Twisted keeps it."""
    ((found, _),) = Headers({name: [b""]}).getAllRawHeaders()
    return found


def has_none(headers: Headers, names: frozenset[bytes]) -> bool:
    """Whether none of these is there; they are ``spelled``."""
    return names.isdisjoint(headers._rawHeaders)  # noqa: SLF001 - see above


def put(headers: Headers, name: bytes, value: bytes) -> None:
    """Set a header; ``name`` is ``spelled``, and neither has a line end in it."""
    headers._rawHeaders[name] = [value]  # noqa: SLF001 - see above; tests/web/test_prepared.py says whether it still is so


def put_all(headers: Headers, fields: Iterable[tuple[bytes, bytes]]) -> None:
    """Set several."""
    raw = headers._rawHeaders  # noqa: SLF001 - see above
    for name, value in fields:
        raw[name] = [value]
