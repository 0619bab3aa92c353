"""Makes tokens, with what is kept of them: pure, so that a change of the directory can do it wherever it runs."""

import msgspec
from attrs import field, frozen

from regproxy.access.scopes import USER, Scope
from regproxy.access.tokens import Claims, family_of, hash_of, new_identifier, new_reference, refresh_for, sign
from regproxy.errors import Kind, RegproxyError
from regproxy.model.principals import TokenRow

REFRESHED_WITHIN = 30 * 86_400.0
"""Seconds behind its end for which a token can still be refreshed."""
YEAR = 365 * 86_400
LONGEST = 10 * YEAR
LONGEST_DESCRIPTION = 1024


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants a token for; ``expires_in`` 0 is never."""

    username: str = ""
    scope: str = ""
    expires_in: int = YEAR
    description: str = ""
    include_reference_token: bool = False
    refreshable: bool = False


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A token, shown this once."""

    token_id: str
    access_token: str
    scope: str
    token_type: str
    expires_in: int
    reference_token: str
    refresh_token: str = ""


@frozen
class Made:
    """A token, and its row."""

    row: TokenRow
    issued: Issued = field(repr=False)


@frozen
class Making:
    """At some time, signed by a key."""

    key: bytes = field(repr=False)
    now: float

    def make(self, wish: Wish, replaces: str = "", replaced: float = 0.0) -> Made:
        """Make one; ``RegproxyError`` (INVALID) for what makes no sense."""
        scope = Scope.of(wish.scope or USER)
        if not 0 <= wish.expires_in <= LONGEST or len(wish.description) > LONGEST_DESCRIPTION:
            raise RegproxyError(Kind.INVALID, f"a token lasts up to {LONGEST} seconds; 0 is for ever")
        expires = float(int(self.now) + wish.expires_in) if wish.expires_in else None
        reference = new_reference() if wish.include_reference_token else ""
        identifier = new_identifier(family_of(replaces))
        refresh = refresh_for(identifier, self.key) if wish.refreshable and wish.expires_in else ""
        row = TokenRow(
            id=identifier,
            subject=wish.username,
            scope=scope.text,
            issued=self.now,
            expires=expires,
            reference=hash_of(reference) if reference else "",
            description=wish.description,
            refresh=hash_of(refresh) if refresh else "",
            kept=None if expires is None else expires + REFRESHED_WITHIN if refresh else expires,
            replaces=replaces,
            replaced=replaced,
        )
        issued = Issued(
            token_id=row.id,
            access_token=sign(Claims(row.subject, row.scope, row.id, expires=expires), self.key, self.now),
            scope=row.scope,
            token_type="Bearer",  # noqa: S106 - a word of the protocol
            expires_in=wish.expires_in,
            reference_token=reference,
            refresh_token=refresh,
        )
        return Made(row, issued)
