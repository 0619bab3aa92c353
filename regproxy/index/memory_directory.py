"""``Directory`` in dicts: the twin of ``sqlite_directory`` for tests and for trying things out."""

from collections.abc import Callable, Sequence
from secrets import token_bytes
from typing import TypeVar, cast

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed

from regproxy.index.interface_directory import Ledger
from regproxy.model.principals import E, Entry, TokenRow, User, without

T = TypeVar("T")


@define(eq=False)
class _Reading:
    _entries: dict[tuple[type, str], Entry] = field(factory=dict)
    _tokens: dict[str, TokenRow] = field(factory=dict)

    def get(self, kind: type[E], name: str) -> E | None:
        """One entry."""
        return cast("E | None", self._entries.get((kind, name)))

    def every(self, kind: type[E]) -> Sequence[E]:
        """All of a kind."""
        found = sorted(name for each, name in self._entries if each is kind)
        return [cast(E, self._entries[kind, name]) for name in found]

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

    def has_tokens(self) -> bool:
        """Whether there is one."""
        return bool(self._tokens)


@define(eq=False)
class MemoryDirectory(_Reading):
    """A ``Directory`` that lasts as long as the object."""

    _stamp: int = field(init=False, default=0)
    _key: bytes = field(init=False, factory=lambda: token_bytes(32))

    def stamp(self) -> int:
        """How many changes there were."""
        return self._stamp

    def key(self) -> bytes:
        """The key."""
        return self._key

    def change(self, work: Callable[[Ledger], T]) -> Deferred[T]:
        """Work on a copy, which is what there is when it has come to its end."""
        ledger = _Writing(dict(self._entries), dict(self._tokens))
        try:
            result = work(ledger)
        except Exception:  # noqa: BLE001 - a Deferred takes whatever it was
            return fail()
        if ledger.kept() != (self._entries, self._tokens):
            self._entries, self._tokens = ledger.kept()
            self._stamp += 1
        return succeed(result)


@define(eq=False)
class _Writing(_Reading):
    def kept(self) -> tuple[dict[tuple[type, str], Entry], dict[str, TokenRow]]:
        """What there is now."""
        return self._entries, self._tokens

    def put(self, entry: Entry, *, replace: bool = True) -> bool:
        """Keep an entry."""
        key = (type(entry), entry.name)
        is_new = key not in self._entries
        if is_new or replace:
            self._entries[key] = entry
        return is_new

    def remove(self, kind: type[Entry], name: str) -> bool:
        """Forget an entry."""
        if self._entries.pop((kind, name), None) is None:
            return False
        self._entries = {key: without(entry, kind, name) for key, entry in self._entries.items()}
        if kind is User:
            self._tokens = {each: token for each, token in self._tokens.items() if token.subject != name}
        return True

    def add(self, token: TokenRow, now: float) -> None:
        """Keep a token."""
        self._tokens = {each: kept for each, kept in self._tokens.items() if (kept.kept or kept.expires or now + 1) > now}
        self._tokens[token.id] = token

    def revoke(self, identifier: str) -> bool:
        """Forget a token."""
        return self._tokens.pop(identifier, None) is not None
