"""Properties as clients write them: ``name=value,value2;other=value`` in an address, or JSON. Pure.

In a value, ``\\`` takes the meaning from a comma, a bar, an equals sign or itself. Statements end at ``;`` or ``|``.
"""

import re
from collections.abc import Iterable, Sequence

from regproxy.model.deposit import Properties

NAME_LIMIT = 255
VALUE_LIMIT = 2400
MOST = 200

_FORBIDDEN = re.compile(r"[)(}{\]\[*+^$\\/~`!@#%&<>;=,±§\s\x00-\x1f\x7f]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def checked(properties: Properties) -> Properties:
    """The same; ``ValueError`` for names and values that may not be."""
    if sum(map(len, properties.values())) > MOST:
        raise ValueError(f"more than {MOST} properties at once")
    for name, values in properties.items():
        if not name or len(name) > NAME_LIMIT or _FORBIDDEN.search(name):
            raise ValueError(f"not a name of a property: {name[:80]!a}")
        for value in values:
            if len(value) > VALUE_LIMIT or _CONTROL.search(value):
                raise ValueError(f"not a value of the property {name!a}")
    return properties


def gathered(pairs: Iterable[tuple[str, str]]) -> Properties:
    """Put values of one name together, each once, in their order."""
    found: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        if value not in found.get(name, ()):
            found[name] = (*found.get(name, ()), value)
    return found


def parse_properties(text: str) -> Properties:
    """Read ``name=value,value2;other=value``."""
    pairs = []
    for statement in _split(text, ";|"):
        parts = _split(statement, "=", most=1)
        if not statement:
            continue
        if len(parts) == 1:
            raise ValueError(f"a property is written name=value, not {statement[:80]!a}")
        pairs += [(_plain(parts[0]), _plain(value)) for value in _split(parts[1], ",")]
    return checked(gathered(pairs))


def parse_names(text: str) -> Sequence[str]:
    """Read ``name,other``."""
    return [name for name in (part.strip() for part in text.split(",")) if name]


def _split(text: str, at: str, most: int = -1) -> list[str]:
    """Split at characters that no backslash stands before; backslashes stay."""
    parts: list[str] = []
    start = index = 0
    while index < len(text):
        if text[index] == "\\":
            index += 1
        elif text[index] in at and len(parts) != most:
            parts.append(text[start:index])
            start = index + 1
        index += 1
    return [*parts, text[start:]]


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
