"""What a client shows: a name with a password, or a token. Pure.

``Authorization: Basic`` (a token may stand in place of the password), ``Authorization: Bearer``, ``X-JFrog-Art-Api``.
"""

from base64 import b64decode
from binascii import Error

from attrs import field, frozen

from regproxy.errors import Kind, RegproxyError

LONGEST = 8192
TOKEN_USER = "__token__"  # noqa: S105 - a name
"""The name that publishers of Python packages give where they have none: the token says whose it is."""


@frozen
class Basic:
    """A name and a secret."""

    user: str
    secret: str = field(repr=False)


@frozen
class Bearer:
    """A token; ``is_foreign`` may be another server's, shown to every server by a client that knows no better."""

    secret: str = field(repr=False)
    is_foreign: bool = False


Credential = Basic | Bearer


def parse(authorization: bytes | None, api_key: bytes | None) -> Credential | None:
    """Read the headers; None if nothing is shown. ``RegproxyError`` (UNAUTHENTICATED) for what cannot be read."""
    if api_key is not None:
        return Bearer(_text(api_key))
    if authorization is None:
        return None
    scheme, _, rest = _text(authorization).partition(" ")
    match scheme.lower():
        case "basic":
            return _basic(rest.strip())
        case "bearer" | "token":
            return Bearer(rest.strip(), is_foreign=True)
        case _:
            raise RegproxyError(Kind.UNAUTHENTICATED, "this kind of Authorization is not known here: Basic and Bearer are")


def _basic(encoded: str) -> Basic:
    try:
        user, colon, secret = b64decode(encoded, validate=True).decode().partition(":")
    except (Error, ValueError):
        colon = ""
    if not colon or "\0" in user + secret:
        raise RegproxyError(Kind.UNAUTHENTICATED, "the Authorization cannot be read")
    return Basic("" if user == TOKEN_USER else user.lower(), secret)


def _text(value: bytes) -> str:
    if len(value) > LONGEST:
        raise RegproxyError(Kind.UNAUTHENTICATED, "the Authorization is too long")
    return value.decode("latin-1")
