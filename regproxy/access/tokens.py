"""Tokens as they are handed out: signed JWTs, and short references to them.

Nobody but this server reads them, so one key that never leaves the index signs and checks. The signature says that we made it;
the index, which is asked as well, says that it was not revoked. A session, which a registry's client gets for its credentials,
has no row of its own and is worth as much as the token it was made from.
"""

import hashlib
import hmac
from collections.abc import Mapping
from secrets import token_hex, token_urlsafe
from typing import Any

import jwt
from attrs import frozen

from regproxy.errors import Kind, RegproxyError

ISSUER = "regproxy"
REFERENCE = "rpx_"
REFRESH = "rpr_"
_SUBJECT = "regproxy/users/"
_ALGORITHM = "HS256"
_LONGEST = 4096
_FAMILY = 16


@frozen
class Claims:
    """What a token says.

    Attributes:
        id: of its row; empty for a session.
        source: of a session, the row of the token that it was made from; empty if that was a password.
        expires: seconds since the epoch; None never.
    """

    subject: str
    scope: str
    id: str = ""
    source: str = ""
    expires: float | None = None


def sign(claims: Claims, key: bytes, now: float) -> str:
    """Write a token."""
    said: dict[str, Any] = {"iss": ISSUER, "sub": _SUBJECT + claims.subject, "scp": claims.scope, "iat": int(now), "aud": "*@*"}
    if claims.id:
        said["jti"] = claims.id
    else:
        said["src"] = claims.source
    if claims.expires is not None:
        said["exp"] = int(claims.expires)
    return jwt.encode(said, key, algorithm=_ALGORITHM)


def read(text: str, key: bytes) -> Claims:
    """Check who made a token, and nothing else; ``RegproxyError`` (UNAUTHENTICATED) if it is not ours."""
    options: Any = {"verify_exp": False, "verify_iat": False, "verify_aud": False, "require": ["iss", "sub", "scp"]}
    try:
        said = jwt.decode(text, key, algorithms=[_ALGORITHM], issuer=ISSUER, options=options)
    except jwt.InvalidTokenError as error:
        raise RegproxyError(Kind.UNAUTHENTICATED, "this token is not one of ours", detail=str(error)) from error
    subject = str(said["sub"]).removeprefix(_SUBJECT)
    return Claims(subject, str(said["scp"]), str(said.get("jti", "")), str(said.get("src", "")), said.get("exp"))


def is_ours(text: str) -> bool:
    """Whether it is meant to be a token of ours, genuine or not: others' are nothing that could be checked here."""
    if text.startswith(REFERENCE):
        return True
    if text.count(".") != 2 or len(text) > _LONGEST:  # noqa: PLR2004 - three parts
        return False
    try:
        said: Mapping[str, Any] = jwt.decode(text, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return False
    return said.get("iss") == ISSUER


def new_reference() -> str:
    """A short form that nobody guesses."""
    return REFERENCE + token_urlsafe(32)


def new_identifier(family: str = "") -> str:
    """Of a token; one that takes another's place is of its family, which is how all of their identifiers begin."""
    return (family or token_hex(_FAMILY // 2)) + token_hex(8)


def family_of(identifier: str) -> str:
    """What the identifiers of all tokens begin with that came of one and the same by being refreshed."""
    return identifier[:_FAMILY]


def refresh_for(identifier: str, key: bytes) -> str:
    """What a token is refreshed by: it names its token, and that it is ours can be seen when there is no such token any more."""
    seal = hmac.new(key, b"refresh " + identifier.encode(), hashlib.sha256)
    return f"{REFRESH}{identifier}_{seal.hexdigest()}"


def is_refresh(text: str, key: bytes) -> bool:
    """Whether it was made by ``refresh_for``."""
    return hmac.compare_digest(text.encode(), refresh_for(refreshed_by(text), key).encode())


def refreshed_by(text: str) -> str:
    """The token that a refresh token is for; empty if it is none."""
    return text.removeprefix(REFRESH).partition("_")[0] if text.startswith(REFRESH) else ""


def hash_of(reference: str) -> str:
    """Under which a short form is kept: it has 256 random bits, so a fast hash is as good as a slow one."""
    return hashlib.sha256(reference.encode()).hexdigest()
