"""``Directory`` in dicts: the twin of ``sqlite_directory`` for tests and for trying things out."""

from collections.abc import Sequence
from secrets import token_bytes
from typing import cast

from attrs import define, field
from twisted.internet.defer import Deferred, succeed

from regproxy.model.principals import E, Entry, TokenRow, User, without


@define(eq=False)
class MemoryDirectory:
    """A ``Directory`` that lasts as long as the object."""

    _stamp: int = field(init=False, default=0)
    _key: bytes = field(init=False, factory=lambda: token_bytes(32))
    _entries: dict[tuple[type, str], Entry] = field(init=False, factory=dict)
    _tokens: dict[str, TokenRow] = field(init=False, factory=dict)

    def stamp(self) -> int:
        """How many changes there were."""
        return self._stamp

    def key(self) -> bytes:
        """The key."""
        return self._key

    def get(self, kind: type[E], name: str) -> E | None:
        """One entry."""
        return cast("E | None", self._entries.get((kind, name)))

    def every(self, kind: type[E]) -> Sequence[E]:
        """All of a kind."""
        found = sorted(name for each, name in self._entries if each is kind)
        return [cast(E, self._entries[kind, name]) for name in found]

    def put(self, entry: Entry, *, replace: bool = True) -> Deferred[bool]:
        """Keep an entry."""
        key = (type(entry), entry.name)
        is_new = key not in self._entries
        if is_new or replace:
            self._entries[key] = entry
            self._stamp += 1
        return succeed(is_new)

    def remove(self, kind: type[Entry], name: str) -> Deferred[bool]:
        """Forget an entry."""
        if self._entries.pop((kind, name), None) is None:
            return succeed(False)  # noqa: FBT003 - the result
        self._entries = {key: without(entry, kind, name) for key, entry in self._entries.items()}
        if kind is User:
            self._tokens = {each: token for each, token in self._tokens.items() if token.subject != name}
        self._stamp += 1
        return succeed(True)  # noqa: FBT003 - the result

    def token(self, identifier: str) -> TokenRow | None:
        """One token."""
        return self._tokens.get(identifier)

    def token_of(self, reference: str) -> TokenRow | None:
        """By its short form."""
        return next((token for token in self._tokens.values() if reference and token.reference == reference), None)

    def tokens(self, beginning: str = "") -> Sequence[TokenRow]:
        """All, or some."""
        found = (token for token in self._tokens.values() if token.id.startswith(beginning))
        return sorted(found, key=lambda token: (token.issued, token.id))

    def add(self, token: TokenRow, now: float) -> Deferred[None]:
        """Keep a token."""
        self._tokens = {each: kept for each, kept in self._tokens.items() if (kept.kept or kept.expires or now + 1) > now}
        self._tokens[token.id] = token
        self._stamp += 1
        return succeed(None)

    def revoke(self, identifier: str) -> Deferred[bool]:
        """Forget a token."""
        self._stamp += 1
        return succeed(self._tokens.pop(identifier, None) is not None)
