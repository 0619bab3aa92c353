"""Gives out tokens, and takes them back."""

from secrets import token_hex

import msgspec
from attrs import frozen
from twisted.internet.interfaces import IReactorTime

from regproxy.access.scopes import ADMIN, USER, Scope
from regproxy.access.tokens import Claims, hash_of, new_reference, sign
from regproxy.errors import Kind, RegproxyError
from regproxy.index.interface_directory import Directory
from regproxy.model.principals import TokenRow, User

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


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A token, shown this once."""

    token_id: str
    access_token: str
    scope: str
    token_type: str
    expires_in: int
    reference_token: str


@frozen
class Issuing:
    """Works on the directory; who may have what made is looked at before."""

    directory: Directory
    _clock: IReactorTime

    async def issue(self, wish: Wish) -> Issued:
        """Make a token for a user who is there; ``RegproxyError`` (INVALID) for what makes no sense."""
        scope = Scope.of(wish.scope or USER)
        if self.directory.get(User, wish.username) is None:
            raise RegproxyError(Kind.INVALID, f"there is no user {wish.username!a}")
        if not 0 <= wish.expires_in <= LONGEST or len(wish.description) > LONGEST_DESCRIPTION:
            raise RegproxyError(Kind.INVALID, f"a token lasts up to {LONGEST} seconds; 0 is for ever")
        now = self._clock.seconds()
        expires = float(int(now) + wish.expires_in) if wish.expires_in else None
        reference = new_reference() if wish.include_reference_token else ""
        row = TokenRow(
            id=token_hex(16),
            subject=wish.username,
            scope=scope.text,
            issued=now,
            expires=expires,
            reference=hash_of(reference) if reference else "",
            description=wish.description,
        )
        await self.directory.add(row, now)
        text = sign(Claims(row.subject, row.scope, row.id, expires=expires), self.directory.key(), now)
        return Issued(
            token_id=row.id,
            access_token=text,
            scope=row.scope,
            token_type="Bearer",  # noqa: S106 - a word of the protocol
            expires_in=wish.expires_in,
            reference_token=reference,
        )


def needs_administrator(scope: Scope) -> bool:
    """Whether only an administrator may have a token with this scope made, be it for himself."""
    return scope.groups is not None or ADMIN in scope.text.split()
