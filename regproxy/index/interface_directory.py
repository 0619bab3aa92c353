"""Who there is, as an index keeps it: users, groups, permission targets, tokens. A third view of an index.

``tests/conformance/directory.py`` is what it means. There are few of these beside nodes, so reads run in the reactor; writes are
durable when their Deferred fires, and every later read sees them. What has to be looked at before something is written is looked
at in the same ``change``: between two of them anybody, in any process, may have written something else.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred

from regproxy.model.principals import E, Entry, TokenRow

T = TypeVar("T")


class Reading(Protocol):
    """Entries of a kind are found by their names."""

    def get(self, kind: type[E], name: str) -> E | None:
        """One entry."""

    def every(self, kind: type[E]) -> Sequence[E]:
        """All of a kind, by name."""

    def token(self, identifier: str) -> TokenRow | None:
        """One token."""

    def token_of(self, reference: str) -> TokenRow | None:
        """The token with a short form that hashes to this."""

    def tokens(self, beginning: str = "") -> Sequence[TokenRow]:
        """All, or those whose ids begin so; oldest first."""

    def has_tokens(self) -> bool:
        """Whether there is one."""


class Ledger(Reading, Protocol):
    """The directory as one change sees it, with what the change itself has written by then."""

    def put(self, entry: Entry, *, replace: bool = True) -> bool:
        """Keep an entry; True if there was none of its name. Without ``replace`` the one that is there stays."""

    def remove(self, kind: type[Entry], name: str) -> bool:
        """Forget an entry, all mention of it in others, and a user's tokens; False if there was none."""

    def add(self, token: TokenRow, now: float) -> None:
        """Keep a token, and drop those that have expired."""

    def revoke(self, identifier: str) -> bool:
        """Forget a token; False if there was none."""


class Directory(Reading, Protocol):
    """What reads see is what all changes together have written so far."""

    def stamp(self) -> int:
        """A number that differs when anything may have changed, by this process or another. Costs next to nothing."""

    def key(self) -> bytes:
        """32 random bytes, the same for as long as the index lives: tokens are signed by it."""

    def change(self, work: Callable[[Ledger], T]) -> Deferred[T]:
        """Do all of it, alone, or nothing if it raises or the process is killed. It may run in a thread, and takes no time."""
