"""Gives out tokens, and takes them back."""

from functools import partial

from attrs import field, frozen
from twisted.internet.interfaces import IReactorTime

from regproxy.access.making import Issued, Made, Making, Wish
from regproxy.access.refreshing import SPENT, refreshed
from regproxy.access.scopes import Scope
from regproxy.access.tokens import REFERENCE, hash_of, is_refresh, read, refreshed_by
from regproxy.errors import Kind, RegproxyError
from regproxy.index.interface_directory import Directory, Ledger
from regproxy.model.principals import TokenRow, User
from regproxy.stream.apart import to_the_end
from regproxy.telemetry.events import Events, What


@frozen
class Issuing:
    """Works on the directory; who may have what made is looked at before."""

    directory: Directory
    _clock: IReactorTime
    _events: Events = field(factory=Events)

    @to_the_end("making a token")
    async def issue(self, wish: Wish) -> Issued:
        """Make a token for a user who is there; ``RegproxyError`` (INVALID) for what makes no sense."""
        making = self._making()
        made = making.make(wish)

        def add(ledger: Ledger) -> None:
            if ledger.get(User, wish.username) is None:
                raise RegproxyError(Kind.INVALID, f"there is no user {wish.username!a}")
            ledger.add(made.row, making.now)

        await self.directory.change(add)
        return self._told(made)

    @to_the_end("refreshing a token")
    async def refresh(self, secret: str) -> Issued:
        """Make another token in place of one, by what was given with it; UNAUTHENTICATED if that is no good."""
        making = self._making()
        if self.directory.token(refreshed_by(secret)) is None and not is_refresh(secret, making.key):
            raise RegproxyError(Kind.UNAUTHENTICATED, SPENT)  # nobody, however often he asks, keeps the index from its work
        change = await self.directory.change(partial(refreshed, secret=secret, making=making))
        for row in change.revoked:
            self._tell_revoked(row.subject, row.id)
        if change.made is None:
            raise RegproxyError(Kind.UNAUTHENTICATED, change.refusal)
        return self._told(change.made)

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
        revoked = await self.directory.change(lambda ledger: ledger.revoke(identifier))
        if revoked:
            self._tell_revoked("" if row is None else row.subject, identifier)
        return revoked

    def _making(self) -> Making:
        return Making(self.directory.key(), self._clock.seconds())

    def _told(self, made: Made) -> Issued:
        self._events.tell(What.TOKEN, subject=made.row.subject, change="created", detail=f"{made.row.id} {made.row.scope}")
        return made.issued

    def _tell_revoked(self, subject: str, identifier: str) -> None:
        self._events.tell(What.TOKEN, subject=subject, change="revoked", detail=identifier)


def needs_administrator(scope: Scope) -> bool:
    """Whether only an administrator may have a token with this scope made, be it for himself."""
    return scope.groups is not None or scope.admin or scope.metrics
