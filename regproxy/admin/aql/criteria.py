"""What the criteria of a query mean. Pure.

A name with a plain value is compared with ``$eq``; ``@name`` is a property. ``type`` is "file" where nothing is said of it.
"""

import re
from itertools import chain

from regproxy.admin.aql.grammar import Pair, Pairs, Tree
from regproxy.admin.aql.words import wrong
from regproxy.model.dates import instant
from regproxy.model.finding import AllOf, AnyOf, Compare, Criterion, Field, How, Property, SameProperty

MOST = 200
STARS = 6
"""More of them make a pattern dear to match."""

FIELDS = {each.value: each for each in Field} | {"original_sha1": Field.SHA1, "original_md5": Field.MD5}
BUILDS = ("artifact.", "module.", "build.")
"""Clients ask for what was built with them, too; nothing here was."""
TIMES = frozenset({Field.CREATED, Field.MODIFIED, Field.UPDATED, Field.DOWNLOADED})
NUMBERS = frozenset({Field.SIZE, Field.DEPTH, Field.DOWNLOADS})
NEVER = frozenset({Field.DOWNLOADS, Field.DOWNLOADED})
"""They are null of what was never downloaded."""
HOW = {each.value: each for each in How}

_WHOLE = re.compile(r"-?[0-9]{1,18}")
_PERIOD = re.compile(r"(\d{1,9})\s*([a-z]+)")
_UNITS = {
    "ms": 0.001, "mills": 0.001, "s": 1, "seconds": 1, "minutes": 60, "h": 3600, "hours": 3600, "d": 86400, "days": 86400,
    "w": 604800, "weeks": 604800, "mo": 2592000, "months": 2592000, "y": 31536000, "years": 31536000,
}  # fmt: skip


def criterion_of(arguments: tuple[Tree, ...], now: float) -> Criterion:
    """All of the objects that were given; ``now`` is what ``$last`` and ``$before`` count from."""
    parts = [_all_of(_pairs(each, 0), now) for each in arguments]
    if _count(*parts) > MOST:
        raise wrong(0, f"more than {MOST} criteria")
    found: Criterion = AllOf(tuple(chain.from_iterable(part.parts for part in parts)))
    types = [Compare(Field.TYPE, How.EQ, "file")] if not _speaks_of_types(found) else []
    return AllOf((*(found.parts if isinstance(found, AllOf) else (found,)), *types))


def _pairs(tree: Tree, at: int) -> Pairs:
    if not isinstance(tree, Pairs):
        raise wrong(at, "expected criteria in braces")
    return tree


def _all_of(pairs: Pairs, now: float) -> AllOf:
    return AllOf(tuple(_criterion(pair, now) for pair in pairs.pairs))


def _criterion(pair: Pair, now: float) -> Criterion:
    match pair.name:
        case "$and" | "$or" | "$msp":
            if not isinstance(pair.value, tuple):
                raise wrong(pair.at, f"expected a list behind {pair.name}")
            parts = tuple(_all_of(_pairs(each, pair.at), now) for each in pair.value)
            if pair.name == "$msp":
                return _same_property(parts, pair.at)
            return AllOf(parts) if pair.name == "$and" else AnyOf(parts)
        case _ if isinstance(pair.value, Pairs):
            if not pair.value.pairs:
                raise wrong(pair.at, f"expected a comparison behind {pair.name!a}")
            return AllOf(tuple(_compared(pair, each.name, each.value, now) for each in pair.value.pairs))
        case _:
            return _compared(pair, How.EQ.value, pair.value, now)


def _same_property(parts: tuple[AllOf, ...], at: int) -> Criterion:
    found = []
    for part in chain.from_iterable(each.parts for each in parts):
        inner = part.parts[0] if isinstance(part, AllOf) and len(part.parts) == 1 else part
        if not isinstance(inner, Property):
            raise wrong(at, "$msp has criteria of properties only")
        found.append(inner)
    return SameProperty(tuple(found))


def _compared(pair: Pair, sign: str, value: Tree, now: float) -> Criterion:
    name = pair.name.removeprefix("item.")
    if name.startswith("@"):
        key = None if name == "@*" else (How.MATCH if "*" in name else How.EQ, name[1:])
        return Property(key, _property_value(pair, sign, value))
    if name in ("property.key", "property.value"):
        said = _property_value(pair, sign, value)
        return Property(said or (How.MATCH, "*"), None) if name == "property.key" else Property(None, said)
    field = FIELDS.get(name)
    if field is None and name.startswith(BUILDS):
        return AnyOf(())
    if field is None:
        raise wrong(pair.at, f"there is no field {pair.name[:80]!a}")
    if sign in ("$before", "$last"):
        if field not in TIMES:
            raise wrong(pair.at, f"{sign} is for times")
        return Compare(field, How.LT if sign == "$before" else How.GT, now - _seconds(value, pair.at))
    if field is Field.TYPE and value == "any":
        return AnyOf((Compare(field, How.EQ, "file"), Compare(field, How.EQ, "folder")))
    if value is None and field in NEVER:
        field, value = Field.DOWNLOADS, 0
    return Compare(field, _how(sign, value, pair.at), _value(field, value, pair.at))


def _property_value(pair: Pair, sign: str, value: Tree) -> tuple[How, str] | None:
    text = _text(value, pair.at)
    how = _how(sign, text, pair.at)
    return None if how is How.MATCH and text == "*" else (how, text)


def _how(sign: str, value: Tree, at: int) -> How:
    how = HOW.get(sign)
    if how is None:
        raise wrong(at, f"there is no comparison {sign[:80]!a}")
    if how in (How.MATCH, How.NMATCH, How.MATCHIC) and str(value).count("*") > STARS:
        raise wrong(at, f"a pattern with more than {STARS} stars")
    return how


def _value(field: Field, value: Tree, at: int) -> str | float:
    if field in TIMES:
        return _time(_text(value, at), at)
    text = _text(value, at)
    if field not in NUMBERS:
        return text
    if not _WHOLE.fullmatch(text):
        raise wrong(at, f"{field.value} is a number")
    return int(text)


def _text(value: Tree, at: int) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise wrong(at, "expected a string or a number")


def _time(text: str, at: int) -> float:
    try:
        return instant(text)
    except ValueError:
        raise wrong(at, "expected a time such as 2026-01-31T12:00:00.000Z") from None


def _seconds(value: Tree, at: int) -> float:
    match = _PERIOD.fullmatch(str(value))
    if match is None or match[2] not in _UNITS:
        raise wrong(at, 'expected a period such as "3d", "2w" or "6mo"')
    return int(match[1]) * _UNITS[match[2]]


def _count(*parts: Criterion) -> int:
    return sum(_count(*part.parts) if isinstance(part, AllOf | AnyOf | SameProperty) else 1 for part in parts)


def _speaks_of_types(criterion: Criterion) -> bool:
    match criterion:
        case Compare(field, _, _):
            return field is Field.TYPE
        case AllOf(parts) | AnyOf(parts):
            return any(map(_speaks_of_types, parts))
        case _:
            return False
