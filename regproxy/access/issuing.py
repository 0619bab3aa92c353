"""Gives out tokens, and takes them back."""

import hmac

import msgspec
from attrs import field, frozen
from twisted.internet.interfaces import IReactorTime

from regproxy.access.scopes import USER, Scope
from regproxy.access.tokens import (
    REFERENCE,
    Claims,
    family_of,
    hash_of,
    is_refresh,
    new_identifier,
    new_reference,
    read,
    refresh_for,
    refreshed_by,
    sign,
)
from regproxy.errors import Kind, RegproxyError
from regproxy.index.interface_directory import Directory
from regproxy.model.principals import TokenRow, User
from regproxy.stream.apart import to_the_end
from regproxy.telemetry.events import Events, What

REFRESHED_WITHIN = 30 * 86_400.0
"""Seconds behind its end for which a token can still be refreshed."""
AGAIN_WITHIN = 30.0
"""Seconds for which a client whose answer was lost may refresh once more by what is used up."""
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
class Issuing:
    """Works on the directory; who may have what made is looked at before."""

    directory: Directory
    _clock: IReactorTime
    _events: Events = field(factory=Events)

    @to_the_end("making a token")
    async def issue(self, wish: Wish, replaces: str = "", replaced: float = 0.0) -> Issued:
        """Make a token for a user who is there; ``RegproxyError`` (INVALID) for what makes no sense."""
        scope = Scope.of(wish.scope or USER)
        if self.directory.get(User, wish.username) is None:
            raise RegproxyError(Kind.INVALID, f"there is no user {wish.username!a}")
        if not 0 <= wish.expires_in <= LONGEST or len(wish.description) > LONGEST_DESCRIPTION:
            raise RegproxyError(Kind.INVALID, f"a token lasts up to {LONGEST} seconds; 0 is for ever")
        now = self._clock.seconds()
        expires = float(int(now) + wish.expires_in) if wish.expires_in else None
        reference = new_reference() if wish.include_reference_token else ""
        identifier = new_identifier(family_of(replaces))
        refresh = refresh_for(identifier, self.directory.key()) if wish.refreshable and wish.expires_in else ""
        row = TokenRow(
            id=identifier,
            subject=wish.username,
            scope=scope.text,
            issued=now,
            expires=expires,
            reference=hash_of(reference) if reference else "",
            description=wish.description,
            refresh=hash_of(refresh) if refresh else "",
            kept=None if expires is None else expires + REFRESHED_WITHIN if refresh else expires,
            replaces=replaces,
            replaced=replaced,
        )
        await self.directory.add(row, now)
        self._events.tell(What.TOKEN, subject=row.subject, change="created", detail=f"{row.id} {row.scope}")
        text = sign(Claims(row.subject, row.scope, row.id, expires=expires), self.directory.key(), now)
        return Issued(
            token_id=row.id,
            access_token=text,
            scope=row.scope,
            token_type="Bearer",  # noqa: S106 - a word of the protocol
            expires_in=wish.expires_in,
            reference_token=reference,
            refresh_token=refresh,
        )

    @to_the_end("refreshing a token")
    async def refresh(self, secret: str) -> Issued:
        """Make another token in place of one, by what was given with it, which is good once; UNAUTHENTICATED if it is not.

        What was used is in two hands: whoever shows it again ends what came of it, the other one's too.
        """
        identifier, now = refreshed_by(secret), self._clock.seconds()
        row = self.directory.token(identifier)
        if row is None and is_refresh(secret, self.directory.key()):
            row = await self._used(identifier, now)
        elif row is None or not row.refresh or not hmac.compare_digest(row.refresh, hash_of(secret)):
            row = None
        if row is None or (row.kept is not None and row.kept <= now):
            raise RegproxyError(Kind.UNAUTHENTICATED, "this refresh token is none, or was used")
        owner = self.directory.get(User, row.subject)
        if owner is None or not owner.enabled:
            raise RegproxyError(Kind.UNAUTHENTICATED, "the owner of this token may not log in")
        if not await self.revoke(row.id):
            raise RegproxyError(Kind.UNAUTHENTICATED, "this refresh token is none, or was used")
        lasts = int(row.expires or row.issued) - int(row.issued)
        return await self.issue(
            Wish(
                username=row.subject,
                scope=row.scope,
                expires_in=lasts,
                description=row.description,
                include_reference_token=bool(row.reference),
                refreshable=True,
            ),
            identifier,
            row.replaced if row.replaces == identifier else now,
        )

    async def _used(self, identifier: str, now: float) -> TokenRow | None:
        """What took a token's place, if it has just done so; else nothing of that family is worth anything any more."""
        family = self.directory.tokens(family_of(identifier))
        for row in family:
            if row.replaces == identifier and now < row.replaced + AGAIN_WITHIN:
                return row
        for row in family:
            await self.revoke(row.id)
        return None

    def shown(self, secret: str) -> TokenRow | None:
        """The token that somebody shows, in either form."""
        if secret.startswith(REFERENCE):
            return self.directory.token_of(hash_of(secret))
        try:
            return self.directory.token(read(secret, self.directory.key()).id)
        except RegproxyError:
            return None

    @to_the_end("revoking a token")
    async def revoke(self, identifier: str) -> bool:
        """Take one back: from now on it is worth nothing; False if there is none."""
        row = self.directory.token(identifier)
        revoked = await self.directory.revoke(identifier)
        if revoked:
            self._events.tell(What.TOKEN, subject="" if row is None else row.subject, change="revoked", detail=identifier)
        return revoked


def needs_administrator(scope: Scope) -> bool:
    """Whether only an administrator may have a token with this scope made, be it for himself."""
    return scope.groups is not None or scope.admin or scope.metrics
