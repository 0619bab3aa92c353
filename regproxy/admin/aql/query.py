"""A query as it is meant: what is looked for, how much of it, and what is to be said of each item. Pure."""

from collections.abc import Mapping, Sequence

from attrs import evolve, field, frozen

from regproxy.admin.aql.criteria import FIELDS, criterion_of
from regproxy.admin.aql.grammar import Call, Pairs, Tree, parse
from regproxy.admin.aql.words import wrong
from regproxy.model.finding import AllOf, Field, Finding

USUAL = ("repo", "path", "name", "type", "size", "created", "created_by", "modified", "modified_by", "updated")
EVERY = (*USUAL, "depth", "original_md5", "original_sha1", "actual_md5", "actual_sha1", "sha256")
STATS = ("stat", "stat.*", "stat.downloads", "stat.downloaded")
PROPERTIES = ("property", "property.*", "property.key", "property.value")
CHECKSUMS = frozenset({"actual_md5", "actual_sha1", "original_md5", "original_sha1"})
HIGHEST = 1 << 31


@frozen
class Query:
    """What somebody asks.

    Attributes:
        shown: fields of items; ``keys`` are properties, None for every one, empty for none.
        limit: at most so many; None for as many as may be.
    """

    finding: Finding = Finding(AllOf(()))
    shown: Sequence[str] = USUAL
    with_stats: bool = False
    keys: frozenset[str] | None = frozenset()
    offset: int = 0
    limit: int | None = None
    distinct: bool = True
    seen: Mapping[str, int] = field(factory=dict, repr=False)


def read_query(text: str, now: float) -> Query:
    """Read it; ``RegproxyError`` (INVALID) says what makes no sense."""
    written = parse(text)
    first = written.calls[0] if written.calls else None
    if written.domain != "items" or first is None or first.name != "find":
        raise wrong(0, "items.find(…) is what can be asked here")
    query = Query(Finding(criterion_of(first.arguments, now)))
    for call in written.calls[1:]:
        if call.name in query.seen:
            raise wrong(call.at, f"{call.name} for the second time")
        query = evolve(_with(query, call), seen={**query.seen, call.name: call.at})
    return query


def _with(query: Query, call: Call) -> Query:
    match call.name:
        case "include":
            return _including(query, call)
        case "sort":
            finding = evolve(query.finding, order=_order(call))
            return evolve(query, finding=finding)
        case "offset":
            return evolve(query, offset=_number(call))
        case "limit":
            return evolve(query, limit=_number(call))
        case "distinct":
            if len(call.arguments) != 1 or not isinstance(call.arguments[0], bool):
                raise wrong(call.at, "expected true or false")
            return evolve(query, distinct=call.arguments[0])
        case "transitive" if not call.arguments:
            return query  # members are looked at in any case; upstreams are not asked
        case _:
            raise wrong(call.at, f"there is no {call.name[:80]}(…)")


def _including(query: Query, call: Call) -> Query:
    names = [_name(each, call).removeprefix("item.") for each in call.arguments]
    shown: list[str] = []
    keys: frozenset[str] | None = frozenset()
    with_stats = False
    for name in names:
        if name == "*":
            shown += EVERY
        elif name in PROPERTIES:
            keys = None
        elif name in STATS:
            with_stats = True
        elif name.startswith("@") and len(name) > 1:
            keys = None if keys is None else keys | {name[1:]}
        elif name in EVERY:
            shown.append(name)
        else:
            raise wrong(call.at, f"there is no field {name[:80]!a}")
    shown = shown or list(USUAL)
    finding = evolve(query.finding, with_properties=keys is None or bool(keys), with_checksums=not CHECKSUMS.isdisjoint(shown))
    return evolve(query, finding=finding, shown=tuple(dict.fromkeys(shown)), with_stats=with_stats, keys=keys)


def _order(call: Call) -> tuple[tuple[Field, bool], ...]:
    said = call.arguments[0] if len(call.arguments) == 1 else None
    if not isinstance(said, Pairs) or len(said.pairs) != 1 or said.pairs[0].name not in ("$asc", "$desc"):
        raise wrong(call.at, 'expected {"$asc": […]} or {"$desc": […]}')
    pair = said.pairs[0]
    if not isinstance(pair.value, tuple) or not 0 < len(pair.value) <= len(Field):
        raise wrong(pair.at, "expected a list of fields")
    names = [_name(each, call).removeprefix("item.") for each in pair.value]
    unknown = next((name for name in names if name not in FIELDS), None)
    if unknown is not None:
        raise wrong(pair.at, f"nothing is sorted by {unknown[:80]!a}")
    return tuple((FIELDS[name], pair.name == "$desc") for name in names)


def _name(tree: Tree, call: Call) -> str:
    if not isinstance(tree, str):
        raise wrong(call.at, "expected names in quotes")
    return tree


def _number(call: Call) -> int:
    said = call.arguments[0] if len(call.arguments) == 1 else None
    if isinstance(said, bool) or not isinstance(said, int) or not 0 <= said < HIGHEST:
        raise wrong(call.at, f"expected a number from 0 to {HIGHEST - 1}")
    return said
