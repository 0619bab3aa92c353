"""Headers of a response that need no second look: names as they are written, values of one line, checked by whoever made them.

Twisted looks a name up and cleans a value at each ``setRawHeaders``; with ten headers that is a tenth of a small hit.
"""

from twisted.web.http_headers import Headers


def spelled(name: bytes) -> bytes:
    """A name as Twisted keeps it."""
    ((found, _),) = Headers({name: [b""]}).getAllRawHeaders()
    return found


def put(headers: Headers, name: bytes, value: bytes) -> None:
    """Set a header; ``name`` is ``spelled``, and neither has a line end in it."""
    headers._rawHeaders[name] = [value]  # noqa: SLF001 - see above; tests/web/test_prepared.py says whether it still is so
