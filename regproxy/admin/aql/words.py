"""Cuts a query into words: strings, numbers, names and signs. Pure."""

import re
from enum import Enum

from attrs import frozen

from regproxy.errors import Kind, RegproxyError

LONGEST = 32 << 10

_WORD = re.compile(
    r"""
    \s*(?:
        "(?P<double>(?:[^"\\]|\\.)*)" | '(?P<single>(?:[^'\\]|\\.)*)'
        | (?P<number>-?\d+(?:\.\d+)?(?![\w.]))
        | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
        | (?P<sign>[(){}\[\]:,.])
    )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class Sort(Enum):
    """What a word is."""

    STRING = "a string"
    NUMBER = "a number"
    NAME = "a name"
    SIGN = "a sign"
    END = "the end"


@frozen
class Word:
    """One word, and where it begins."""

    sort: Sort
    text: str
    at: int


def wrong(at: int, text: str) -> RegproxyError:
    """A query that cannot be read."""
    return RegproxyError(Kind.INVALID, f"the query makes no sense at character {at + 1}: {text}")


def _plain(match: re.Match[str]) -> str:
    if match[1]:
        return chr(int(match[1], 16))
    # What is matched by a pattern keeps its backslash: it says that * and ? are themselves.
    return _LETTERS.get(match[2], match[0] if match[2] in "*?" else match[2])


def words_of(text: str) -> list[Word]:
    """Cut it; ``RegproxyError`` (INVALID) where no word is."""
    if len(text) > LONGEST:
        raise RegproxyError(Kind.INVALID, f"a query has {LONGEST} characters at most")
    found: list[Word] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _WORD.match(text, at)
        if match is None:
            raise wrong(at, "neither a string nor a number, a name or a sign")
        found.append(_word(match))
        at = match.end()
    return [*found, Word(Sort.END, "", len(text))]


def _word(match: re.Match[str]) -> Word:
    kind = str(match.lastgroup)
    text, at = match[kind], match.start(kind)
    if kind in ("double", "single"):
        return Word(Sort.STRING, _unescaped(text, at), at)
    return Word({"number": Sort.NUMBER, "name": Sort.NAME, "sign": Sort.SIGN}[kind], text, at)


def _unescaped(text: str, at: int) -> str:
    try:
        # Two escapes may be halves of one character.
        plain = _ESCAPE.sub(_plain, text).encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise wrong(at, "half a character") from None
    if "\0" in plain:
        raise wrong(at, "a character that no text has")
    return plain
