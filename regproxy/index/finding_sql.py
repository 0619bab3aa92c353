"""From what somebody looks for to SQL: values are bound, never written. Pure.

Only what stands in the query on its own and has to hold in any case makes use of an index: one path, a path's beginning, a
checksum, the repositories that are left. All else is a condition on the rows of these.
"""

import json
from collections.abc import Mapping
from typing import Any

from attrs import define, field

from regproxy.index.rows import behind_prefix
from regproxy.model.finding import AllOf, AnyOf, Compare, Criterion, Field, Finding, How, Property, SameProperty

Bindings = list[Any]

_OPERATORS = {How.EQ: "=", How.NE: "<>", How.GT: ">", How.GTE: ">=", How.LT: "<", How.LTE: "<="}
_NEGATIVE = {How.NE: How.EQ, How.NMATCH: How.MATCH}
_FOLDER = "rtrim(whole, replace(whole, '/', ''))"
"""All of a path up to its last slash: what is trimmed is everything but slashes."""

_COLUMNS = {
    Field.PATH: f"CASE {_FOLDER} WHEN '' THEN '.' ELSE substr({_FOLDER}, 1, length({_FOLDER}) - 1) END",
    Field.NAME: f"substr(whole, length({_FOLDER}) + 1)",
    Field.TYPE: "kind",
    Field.SIZE: "size",
    Field.DEPTH: "length(whole) - length(replace(whole, '/', '')) + 1",
    Field.CREATED: "created",
    Field.CREATED_BY: "created_by",
    Field.MODIFIED: "modified",
    Field.MODIFIED_BY: "modified_by",
    Field.UPDATED: "modified",
    Field.SHA256: "sha256",
    Field.DOWNLOADS: "downloads",
    Field.DOWNLOADED: "last_downloaded",  # NULL, which no comparison is true of, for what never was
    Field.SHA1: "coalesce((SELECT value FROM aliases WHERE aliases.sha256 = items.sha256 AND algorithm = 'sha1' LIMIT 1), '')",
    Field.MD5: "coalesce((SELECT value FROM aliases WHERE aliases.sha256 = items.sha256 AND algorithm = 'md5' LIMIT 1), '')",
}
_FILES = """
SELECT 'file' AS kind, nodes.repository AS repository, nodes.path AS path, nodes.path AS whole, size, created, modified,
    coalesce(deposits.created_by, '') AS created_by, coalesce(deposits.modified_by, '') AS modified_by, sha256, downloads,
    last_downloaded
FROM nodes LEFT JOIN deposits ON deposits.repository = nodes.repository AND deposits.path = nodes.path
"""
_FOLDERS = """
SELECT 'folder' AS kind, repository, path, rtrim(path, '/') AS whole, 0 AS size, created, modified, created_by,
    created_by AS modified_by, '' AS sha256, 0 AS downloads, NULL AS last_downloaded
FROM folders
"""
_PROPERTY = "EXISTS (SELECT 1 FROM properties AS p WHERE p.repository = items.repository AND p.path = items.path"
_SELECTED = "repository, path, size, created, modified, created_by, modified_by, sha256, downloads, last_downloaded"


def glob_of(pattern: str) -> str:
    """``*`` and ``?`` as GLOB has them; a ``\\`` before them, and ``[``, are themselves."""
    written, at = "", 0
    while at < len(pattern):
        letter = pattern[at]
        if letter == "\\" and pattern[at + 1 : at + 2] in ("*", "?", "\\"):
            at += 1
            letter = pattern[at]
            written += letter if letter == "\\" else f"[{letter}]"
        elif letter == "*" and written.endswith("*"):
            pass
        else:
            written += "[[]" if letter == "[" else letter
        at += 1
    return written


@define
class _Conditions:
    """Writes conditions, and gathers what is bound in them."""

    bindings: Bindings = field(factory=list)

    def of(self, criterion: Criterion) -> str:
        match criterion:
            case AllOf(parts):
                return self._joined(parts, " AND ", "1")
            case AnyOf(parts):
                return self._joined(parts, " OR ", "0")
            case Compare():
                return self._comparison(criterion)
            case Property():
                return self._some_property(criterion)
            case SameProperty(parts):
                return f"{_PROPERTY}{''.join(self._property(part) for part in parts)})"

    def _comparison(self, said: Compare) -> str:
        match said:
            case Compare(Field.REPO, how, value):
                both = " AND " if how in _NEGATIVE else " OR "
                return f"({self._compared('shown.value', how, value)}{both}{self._compared('shown.key', how, value)})"
            case Compare(Field.SHA1 | Field.MD5 as digest, How.EQ, value):
                self.bindings += ["sha1" if digest is Field.SHA1 else "md5", value]
                return "sha256 IN (SELECT sha256 FROM aliases WHERE algorithm = ? AND value = ?)"
            case Compare(column, how, value):
                return self._compared(_COLUMNS[column], how, value)

    def _some_property(self, said: Property) -> str:
        match said:
            case Property(name, (How.NE | How.NMATCH as how, value)):
                return f"NOT {self._some_property(Property(name, (_NEGATIVE[how], value)))}"
            case Property((How.NE | How.NMATCH as how, name), None):
                return f"NOT {self._some_property(Property((_NEGATIVE[how], name), None))}"
            case _:
                return f"{_PROPERTY}{self._property(said)})"

    def _joined(self, parts: tuple[Criterion, ...], sign: str, empty: str) -> str:
        return f"({sign.join(self.of(part) for part in parts)})" if parts else empty

    def _property(self, wanted: Property) -> str:
        written = ""
        for column, said in (("p.name", wanted.name), ("p.value", wanted.value)):
            if said is not None:
                written += f" AND {self._compared(column, *said)}"
        return written

    def _compared(self, column: str, how: How, value: str | float) -> str:
        match how:
            case How.MATCH | How.NMATCH:
                self.bindings.append(glob_of(str(value)))
                return f"{column} {'NOT ' if how is How.NMATCH else ''}GLOB ?"
            case How.MATCHIC:
                self.bindings.append(glob_of(str(value)).lower())
                return f"lower({column}) GLOB ?"
            case How.EQIC:
                self.bindings.append(str(value).lower())
                return f"lower({column}) = ?"
            case _:
                self.bindings.append(value)
                return f"{column} {_OPERATORS[how]} ?"


def _needed(criterion: Criterion) -> dict[tuple[Field, How], str | float]:
    """Comparisons that have to hold in any case."""
    match criterion:
        case Compare(column, how, value):
            return {(column, how): value}
        case AllOf(parts):
            found: dict[tuple[Field, How], str | float] = {}
            for part in parts:
                found |= _needed(part)
            return found
        case _:
            return {}


def _bounds(needed: Mapping[tuple[Field, How], str | float]) -> tuple[str, Bindings]:
    """What an index of the table is good for, as a condition of its own."""
    folder, name = needed.get((Field.PATH, How.EQ)), needed.get((Field.NAME, How.EQ))
    if folder is not None and name is not None:
        whole = str(name) if folder == "." else f"{folder}/{name}"
        return " AND path IN (?, ?)", [whole, f"{whole}/"]
    beginning = "" if folder in (None, ".") else f"{folder}/"
    if not beginning and (Field.PATH, How.MATCH) in needed:
        pattern = str(needed[Field.PATH, How.MATCH])
        beginning = pattern[: min((pattern.find(sign) for sign in "*?[\\" if sign in pattern), default=len(pattern))]
    if beginning and not beginning.startswith("."):
        return " AND path >= ? AND path < ?", [beginning, behind_prefix(beginning)]
    return "", []


def compiled(finding: Finding, names: Mapping[str, str]) -> tuple[str, Bindings]:
    """The statement, and what is bound in it; ``names`` are keys of repositories with what each is found under."""
    needed = _needed(finding.criterion)
    conditions = _Conditions()
    where = conditions.of(finding.criterion)
    kind, repository = needed.get((Field.TYPE, How.EQ)), needed.get((Field.REPO, How.EQ))
    left = {key: name for key, name in names.items() if repository in (None, key, name)}
    more, bounds = _bounds(needed)
    chosen = [text for name, text in (("file", _FILES), ("folder", _FOLDERS)) if kind in (None, name)] or [_FILES]
    sources = " UNION ALL ".join(f"SELECT * FROM ({source}) WHERE 1{more}" for source in chosen)  # noqa: S608 - our own texts
    order = "".join(f"{_order(column)}{' DESC' if falls else ''}, " for column, falls in finding.order)
    sql = f"""
SELECT {_SELECTED} FROM (SELECT key, value FROM json_each(?)) AS shown JOIN ({sources}) AS items ON items.repository = shown.key
WHERE {where} ORDER BY {order}items.repository, items.path
"""  # noqa: S608 - as above, and question marks
    return sql, [json.dumps(left), *bounds * len(chosen), *conditions.bindings]


def _order(column: Field) -> str:
    return "shown.value" if column is Field.REPO else _COLUMNS[column]
