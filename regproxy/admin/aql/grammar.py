"""Reads the words of a query as a tree: who is asked, with which criteria, and what is to be done with what is found. Pure.

Objects are tuples of pairs, since a name may stand in one several times.
"""

from typing import TypeAlias

from attrs import define, field, frozen

from regproxy.admin.aql.words import Sort, Word, words_of, wrong

DEEPEST = 32
DIGITS = 18

Tree: TypeAlias = "str | float | bool | Pairs | tuple[Tree, ...] | None"

_NAMED: dict[str, bool | None] = {"true": True, "false": False, "null": None}


@frozen
class Pair:
    """A name with its value, and where it stands."""

    name: str
    value: Tree
    at: int


@frozen
class Pairs:
    """One object."""

    pairs: tuple[Pair, ...]


@frozen
class Call:
    """``name(arguments)``."""

    name: str
    arguments: tuple[Tree, ...]
    at: int


@frozen
class Text:
    """A whole query."""

    domain: str
    calls: tuple[Call, ...]


@define
class _Reader:
    _words: list[Word]
    _next: int = field(init=False, default=0)
    _depth: int = field(init=False, default=0)

    def query(self) -> Text:
        """All of it."""
        domain = self._take(Sort.NAME).text
        calls = []
        while self._is("."):
            self._next += 1
            calls.append(self._call())
        if self._word.sort is not Sort.END:
            raise wrong(self._word.at, f"{self._word.text!a} behind the end of the query")
        return Text(domain, tuple(calls))

    def _call(self) -> Call:
        name = self._take(Sort.NAME)
        return Call(name.text, self._several("(", ")"), name.at)

    def _several(self, opening: str, closing: str) -> tuple[Tree, ...]:
        self._sign(opening)
        found: list[Tree] = []
        while not self._is(closing):
            if found:
                self._sign(",")
            found.append(self._value())
        self._sign(closing)
        return tuple(found)

    def _value(self) -> Tree:
        word = self._word
        self._depth += 1
        if self._depth > DEEPEST:
            raise wrong(word.at, f"brackets within more than {DEEPEST} brackets")
        try:
            return self._read(word)
        finally:
            self._depth -= 1

    def _read(self, word: Word) -> Tree:
        if self._is("{"):
            return self._object()
        if self._is("["):
            return self._several("[", "]")
        self._next += 1
        if word.sort is Sort.STRING:
            return word.text
        if word.sort is Sort.NUMBER:
            return _number(word)
        if word.sort is Sort.NAME and word.text in _NAMED:
            return _NAMED[word.text]
        raise wrong(word.at, f"expected a value and not {word.text!a}" if word.text else "expected a value")

    def _object(self) -> Pairs:
        self._sign("{")
        found: list[Pair] = []
        while not self._is("}"):
            if found:
                self._sign(",")
            name = self._take(Sort.STRING)
            self._sign(":")
            found.append(Pair(name.text, self._value(), name.at))
        self._sign("}")
        return Pairs(tuple(found))

    @property
    def _word(self) -> Word:
        return self._words[self._next]

    def _is(self, sign: str) -> bool:
        return self._word.sort is Sort.SIGN and self._word.text == sign

    def _sign(self, sign: str) -> None:
        if not self._is(sign):
            raise wrong(self._word.at, f"expected {sign!a}")
        self._next += 1

    def _take(self, sort: Sort) -> Word:
        word = self._word
        if word.sort is not sort:
            raise wrong(word.at, f"expected {sort.value}")
        self._next += 1
        return word


def _number(word: Word) -> float:
    if len(word.text) > DIGITS:
        raise wrong(word.at, f"a number of more than {DIGITS} digits")
    return float(word.text) if "." in word.text else int(word.text)


def parse(text: str) -> Text:
    """Read a query; ``RegproxyError`` (INVALID) says where it makes no sense."""
    return _Reader(words_of(text)).query()
