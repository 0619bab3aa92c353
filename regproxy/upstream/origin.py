"""Where a URL leads: scheme, host and port, compared as browsers do; and URLs made fit for a request line."""

from typing import Self
from urllib.parse import quote, urlsplit

from attrs import frozen

from regproxy.errors import Kind, RegproxyError

PORTS = {"http": 80, "https": 443}
_SAFE = "".join(chr(code) for code in range(0x21, 0x7F))


@frozen
class Origin:
    """What a credential belongs to, and what a connection leads to.

    Attributes:
        host: in lower case, without a final dot and without the brackets of an IPv6 address.
    """

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Self:
        """Read an absolute URL.

        Raises:
            RegproxyError: UPSTREAM_BAD; not http or https, no host, a nonsense port, or with credentials in it.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise RegproxyError(Kind.UPSTREAM_BAD, "upstream points to an address that is none") from error
        host = (parts.hostname or "").rstrip(".")
        if parts.scheme not in PORTS or not host or port == 0 or not host.isascii() or "%" in host:
            raise RegproxyError(Kind.UPSTREAM_BAD, "upstream points to an address that is neither http nor https")
        if "@" in parts.netloc:
            raise RegproxyError(Kind.UPSTREAM_BAD, "upstream points to an address with credentials in it")
        return cls(parts.scheme, host, port or PORTS[parts.scheme])

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def clean_url(url: str, encoding: str = "utf-8") -> str:
    """Encode what a request line may not have, and drop the fragment; what is encoded already stays as it is.

    Text of a header is bytes that were decoded as latin-1: ``encoding`` makes them bytes again.
    """
    return quote(url.partition("#")[0].strip(), safe=_SAFE, encoding=encoding, errors="replace")


def with_query(url: str, query: str) -> str:
    """Append query parameters, unless they are there already."""
    if not query:
        return url
    path, mark, present = url.partition("?")
    if f"&{query}&" in f"&{present}&":
        return url
    return f"{path}?{present}&{query}" if mark and present else f"{path}?{query}"
