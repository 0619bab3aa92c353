"""``includesPattern`` and ``excludesPattern``: which paths of a repository exist for its clients.

Comma-separated lists of Ant patterns: ``?`` is one character and ``*`` any number of them within one segment, ``**`` any
number of segments; a pattern that ends in ``/`` means everything below. An exclusion beats an inclusion; an empty list of
inclusions admits everything. Matching is by RE2, in time linear in the path, whatever an operator wrote.
"""

import re
from typing import Protocol, Self

import re2
from attrs import frozen

EVERYTHING = "**/*"
_NOTHING = "\x01"


class _Matcher(Protocol):
    def fullmatch(self, text: str, /) -> object | None: ...


def _segment(text: str) -> str:
    return "".join({"*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part)) for part in re.split(r"([*?])", text) if part)


def _expression(pattern: str) -> str:
    """One Ant pattern as a regular expression over the whole path."""
    if pattern.endswith("/"):
        pattern += "**"
    segments = pattern.split("/")
    written = ""
    for number, segment in enumerate(segments):
        last = number == len(segments) - 1
        if segment != "**":
            written += _segment(segment) + ("" if last else "/")
        elif not last:
            written += "(?:[^/]*/)*"
        elif written.endswith("/"):
            written = written[:-1] + "(?:/.*)?"
        else:
            written += ".*"
    return written


def _listed(patterns: str) -> list[str]:
    return [pattern.strip().lstrip("/") for pattern in patterns.split(",") if pattern.strip()]


def _tops(patterns: str) -> str:
    """Of patterns of what lies in folders, those of the folders at the top."""
    tops = (pattern.partition("/") for pattern in _listed(patterns))
    return ",".join(top for top, slash, _ in tops if slash or top == "**")


def _compile(patterns: str) -> _Matcher | None:
    expressions = [_expression(pattern) for pattern in _listed(patterns)]
    if not expressions:
        return None
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    try:
        compiled: _Matcher = re2.compile("|".join(f"(?:{expression})" for expression in expressions), options)
    except re2.error as error:
        raise ValueError("expected a shorter list of Ant patterns") from error
    return compiled


@frozen
class Patterns:
    """Two compiled lists; make them by ``Patterns.of``."""

    _includes: _Matcher | None
    _excludes: _Matcher | None
    _tops: _Matcher | None = None

    @classmethod
    def of(cls, includes: str = EVERYTHING, excludes: str = "") -> Self:
        """Compile the values of the two keys; ``ValueError`` where they are too much for RE2."""
        everything = includes.strip() in ("", EVERYTHING)
        tops = None if everything else _compile(_tops(includes) or _NOTHING)
        return cls(None if everything else _compile(includes), _compile(excludes), tops)

    def admits(self, path: str) -> bool:
        """Whether a node at this path (no leading slash, decoded) may be served."""
        if self._excludes is not None and self._excludes.fullmatch(path):
            return False
        return self._includes is None or self._includes.fullmatch(path) is not None

    def reach(self, folder: str, deep: int) -> bool:
        """Whether a file so many folders below one at the top may be served, by whatever name: False if all of them are excluded,
        or none is included.
        """
        if self._excludes is not None and self._excludes.fullmatch("/".join([folder, *["\x01"] * deep])):
            return False
        return self._tops is None or self._tops.fullmatch(folder) is not None
