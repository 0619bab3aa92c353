"""From the text of a configuration file to typed values: every mistake is collected, none stops the search for the next.

A mistake is one line, ``file: key: what was expected``, and never shows a value that could be a secret: only its type.
Keys are written as ``repository[2].socketTimeoutMillis (docker-hub)``, counting from 0.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from attrs import define, field

from regproxy.model.settings import Configuration, Server

_VARIABLE = re.compile(r"\$(\$?)\{([A-Za-z_][A-Za-z0-9_]*)\}")
_TYPE_ERROR = re.compile(r"Expected `([^`]+)`, got `([^`]+)`(?: - at `\$([^`]*)`)?")
_WORDS = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "datetime": "a date",
    "date": "a date",
    "time": "a time",
}

Section = TypeVar("Section", bound=msgspec.Struct)


class ConfigurationError(Exception):
    """The configuration has mistakes; ``lines`` has one line for each, fit for an operator's eyes."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


@define
class Mistakes:
    """What is wrong with one file, or with what came without one."""

    file: str = ""
    lines: list[str] = field(factory=list)
    _unset: set[str] = field(factory=set, init=False)

    def unset(self, key: str, variable: str) -> None:
        """Note a variable that is not set: whatever else is found wrong with that value is wrong for this reason."""
        self.add(key, f"expected the environment variable {variable} to be set")
        self._unset.add(key)

    def add(self, key: str, expectation: str, name: str = "") -> None:
        """Note one; ``name`` is the key of the repository that it is about."""
        if key in self._unset:
            return
        about = f" ({name})" if name else ""
        self.lines.append(f"{self.file}: {key}{about}: {expectation}" if self.file else f"{key}{about}: {expectation}")

    def check(self) -> None:
        """Raise what was collected, if anything was."""
        if self.lines:
            raise ConfigurationError(tuple(self.lines))


def parse(text: bytes, mistakes: Mistakes) -> dict[str, Any]:
    """Read TOML; an empty table, and a mistake with its line, for what is not TOML."""
    try:
        return tomllib.loads(text.decode())
    except UnicodeDecodeError:
        mistakes.add("line 1", "expected UTF-8")
    except tomllib.TOMLDecodeError as error:
        what, _, place = str(error).rpartition(" (at ")
        mistakes.add(place.rstrip(")") or "line 1", f"expected TOML: {what[:1].lower()}{what[1:]}")
    return {}


def with_environment(value: object, environment: Mapping[str, str], mistakes: Mistakes, key: str = "") -> Any:
    """Replace each ``${NAME}`` in every string by the variable's value; ``$${NAME}`` stands for itself."""
    match value:
        case str():

            def replaced(match: re.Match[str]) -> str:
                if match[1]:
                    return match[0][1:]
                if match[2] not in environment:
                    mistakes.unset(key, match[2])
                return environment.get(match[2], "")

            return _VARIABLE.sub(replaced, value)
        case dict():
            inside = f"{key}." if key else ""
            return {name: with_environment(item, environment, mistakes, f"{inside}{name}") for name, item in value.items()}
        case list():
            return [with_environment(item, environment, mistakes, f"{key}[{n}]") for n, item in enumerate(value)]
        case _:
            return value


def _words(types: str) -> str:
    return " or ".join(_WORDS.get(name, name) for name in types.split(" | ") if name != "null")


def _alternatives(choices: tuple[str, ...]) -> str:
    return " or ".join(f'"{choice}"' for choice in choices)


def _choices(kind: object) -> tuple[str, ...]:
    return get_args(kind) if get_origin(kind) is Literal else ()


def _convert(kind: Any, value: object, key: str, name: str, mistakes: Mistakes) -> Any:
    """One value that is no table of ours; None after a mistake."""
    choices = _choices(kind)
    if choices and value not in choices:
        mistakes.add(key, f"expected {_alternatives(choices)}", name)
        return None
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        match = _TYPE_ERROR.match(str(error))
        if match is None:
            mistakes.add(key, "expected another value", name)
        else:
            mistakes.add(f"{key}{match[3] or ''}", f"expected {_words(match[1])}, got {_words(match[2])}", name)
        return None


def _struct_in(kind: object) -> type[msgspec.Struct] | None:
    """The kind of table in ``tuple[Table, ...]``."""
    arguments = get_args(kind) if get_origin(kind) is tuple else ()
    return arguments[0] if arguments and isinstance(arguments[0], type) and issubclass(arguments[0], msgspec.Struct) else None


def _value(kind: Any, value: object, key: str, name: str, mistakes: Mistakes) -> Any:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return table(kind, value, key, mistakes, name)
    inner = _struct_in(kind)
    if inner is None:
        return _convert(kind, value, key, name, mistakes)
    if not isinstance(value, list):
        mistakes.add(key, f"expected a list of tables, written as [[{key}]]", name)
        return None
    rows = [table(inner, row, f"{key}[{number}]", mistakes, name) for number, row in enumerate(value)]
    return None if None in rows else tuple(rows)


def table(kind: type[Section], value: object, key: str, mistakes: Mistakes, name: str = "") -> Section | None:
    """Read one table; None if there is any mistake in it."""
    if not isinstance(value, dict):
        mistakes.add(key, "expected a table", name)
        return None
    if "rclass" in kind.__struct_fields__ and isinstance(value.get("key"), str):
        name = value["key"][:80]
    before = len(mistakes.lines)
    fields = {item.encode_name: item for item in msgspec.structs.fields(kind)}
    inside = f"{key}." if key else ""
    for unknown in sorted(value.keys() - fields.keys()):
        close = difflib.get_close_matches(unknown, fields, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        mistakes.add(f"{inside}{unknown[:80]}", f"expected a key that regproxy knows{hint}", name)
    found = {}
    for written, item in fields.items():
        if written in value:
            found[item.name] = _value(item.type, value[written], f"{inside}{written}", name, mistakes)
        elif item.required:
            mistakes.add(f"{inside}{written}", f"expected {_required(item.type)}, but it is missing", name)
    return kind(**found) if len(mistakes.lines) == before else None


def _required(kind: object) -> str:
    choices = _choices(kind)
    if choices:
        return _alternatives(choices)
    names = [
        "array" if get_origin(item) is tuple else item.__name__
        for item in (get_args(kind) if get_origin(kind) in {Union, UnionType} else (kind,))
        if isinstance(item, type) or get_origin(item) is tuple
    ]
    return _words(" | ".join(names))


def read_tables(raw: Mapping[str, Any], mistakes: Mistakes) -> Configuration | None:
    """Read the whole file; None if there is any mistake in its keys and types."""
    return table(Configuration, dict(raw), "", mistakes)


def data_dir_of(file: Path) -> Path | None:
    """The ``dataDir`` of a configuration file, without a look at the rest of it; None if there is none that can be read."""
    try:
        server = tomllib.loads(file.read_text()).get("server", {})
    except (OSError, ValueError):
        return None
    text = server.get("dataDir", Server().data_dir) if isinstance(server, dict) else Server().data_dir
    mistakes = Mistakes(str(file))
    data_dir = with_environment(str(text), os.environ, mistakes, "server.dataDir")
    mistakes.check()
    return Path(data_dir)
