"""Header fields as we keep them: a frozen, ordered, case-insensitive multi-map of text.

Bytes become text (latin-1, as HTTP has it) at the borders, ``web`` and ``upstream``; everything between them sees this
class. A name or value with a control character in it never becomes a field.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Self

from attrs import field, frozen

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def is_safe(name: str, value: str) -> bool:
    """Whether a field may be written to a wire: RFC 9110 section 5, and no control character."""
    return bool(_NAME.fullmatch(name.lower())) and not _CONTROL.search(value)


def _clean(fields: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), value.strip()) for name, value in fields if is_safe(name, value))


@frozen(cache_hash=True)
class Headers:
    """Fields in their order, names in lower case; unsafe ones are left out when it is made."""

    fields: tuple[tuple[str, str], ...] = field(default=(), converter=_clean)

    @classmethod
    def of(cls, **fields: str) -> Self:
        """Write fields down in code: ``Headers.of(content_type="text/plain")``."""
        return cls(tuple((name.replace("_", "-"), value) for name, value in fields.items()))

    def first(self, name: str) -> str | None:
        """The first value of a field, for those that may come once only."""
        wanted = name.lower()
        return next((value for key, value in self.fields if key == wanted), None)

    def joined(self, name: str) -> str | None:
        """All values of a list-valued field as one (RFC 9110 section 5.3); None without any."""
        values = self.all(name)
        return ", ".join(values) if values else None

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a field, in order."""
        wanted = name.lower()
        return tuple(value for key, value in self.fields if key == wanted)

    def only(self, names: Iterable[str]) -> "Headers":
        """The fields that an allow-list names."""
        wanted = {name.lower() for name in names}
        return Headers(tuple(pair for pair in self.fields if pair[0] in wanted))

    def without(self, *names: str) -> "Headers":
        """All fields but these."""
        unwanted = {name.lower() for name in names}
        return Headers(tuple(pair for pair in self.fields if pair[0] not in unwanted))

    def plus(self, *fields: tuple[str, str]) -> "Headers":
        """These fields as well, replacing those of the same name."""
        return Headers((*self.without(*(name for name, _ in fields)).fields, *fields))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)
