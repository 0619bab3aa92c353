"""What a client says the bytes of its upload are: ``X-Checksum-*``, ``Content-MD5``, ``Digest``, ``Content-Digest``. Pure."""

import re

from regproxy.errors import Kind, RegproxyError
from regproxy.model.digest import Digest
from regproxy.model.headers import Headers

_BY_HEX = {"x-checksum-sha256": "sha256", "x-checksum-sha1": "sha1", "x-checksum-md5": "md5", "x-checksum-sha512": "sha512"}
_BY_LENGTH = {64: "sha256", 40: "sha1", 32: "md5", 128: "sha512"}
_BY_NAME = {"sha-256": "sha256", "sha": "sha1", "sha-1": "sha1", "md5": "md5", "sha-512": "sha512"}
_ITEM = re.compile(r"([A-Za-z0-9-]{1,16})=:?([A-Za-z0-9+/=]{1,200}?):?")

NAMES = (*_BY_HEX, "x-checksum", "content-md5", "digest", "content-digest")


def promised(headers: Headers) -> tuple[Digest, ...]:
    """Every digest that is said; ``RegproxyError`` (INVALID) for what is none. Algorithms that we don't know are left out."""
    found = []
    try:
        for name, algorithm in _BY_HEX.items():
            found += [Digest(algorithm, value.lower()) for value in headers.all(name)]
        found += [Digest(_BY_LENGTH.get(len(value), "x-checksum"), value.lower()) for value in headers.all("x-checksum")]
        found += [Digest.from_base64("md5", value) for value in headers.all("content-md5")]
        for name in ("digest", "content-digest"):
            found += _items(headers.joined(name) or "")
    except ValueError as error:
        raise RegproxyError(Kind.INVALID, f"a checksum header cannot be read: {error}") from error
    return tuple(found)


def _items(text: str) -> list[Digest]:
    found = []
    for item in filter(None, map(str.strip, text.split(","))):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise ValueError("expected algorithm=base64")
        algorithm = _BY_NAME.get(match[1].lower())
        if algorithm is not None:
            found.append(Digest.from_base64(algorithm, match[2]))
    return found
