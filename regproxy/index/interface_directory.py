"""Who there is, as an index keeps it: users, groups, permission targets, tokens. A third view of an index.

``tests/conformance/directory.py`` is what it means. There are few of these beside nodes, so reads run in the reactor; writes are
durable when their Deferred fires, and every later read sees them.
"""

from collections.abc import Sequence
from typing import Protocol

from twisted.internet.defer import Deferred

from regproxy.model.principals import E, Entry, TokenRow


class Directory(Protocol):
    """Entries of a kind are found by their names."""

    def stamp(self) -> int:
        """A number that differs when anything may have changed, by this process or another. Costs next to nothing."""

    def key(self) -> bytes:
        """32 random bytes, the same for as long as the index lives: tokens are signed by it."""

    def get(self, kind: type[E], name: str) -> E | None:
        """One entry."""

    def every(self, kind: type[E]) -> Sequence[E]:
        """All of a kind, by name."""

    def put(self, entry: Entry, *, replace: bool = True) -> Deferred[bool]:
        """Keep an entry; True if there was none of its name. Without ``replace`` the one that is there stays."""

    def remove(self, kind: type[Entry], name: str) -> Deferred[bool]:
        """Forget an entry, all mention of it in others, and a user's tokens; False if there was none."""

    def token(self, identifier: str) -> TokenRow | None:
        """One token."""

    def token_of(self, reference: str) -> TokenRow | None:
        """The token with a short form that hashes to this."""

    def tokens(self, beginning: str = "") -> Sequence[TokenRow]:
        """All, or those whose ids begin so; oldest first."""

    def add(self, token: TokenRow, now: float) -> Deferred[None]:
        """Keep a token, and drop those that have expired."""

    def revoke(self, identifier: str) -> Deferred[bool]:
        """Forget a token; False if there was none."""
