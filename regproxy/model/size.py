"""Sizes as an operator writes them: ``"500GiB"``, ``"64MiB"``, ``"1500000"``. Binary and decimal units, no fractions."""

import re

_SIZE = re.compile(r"(\d{1,18}) ?(?:([KMGTP])(i?)B|B)?", re.ASCII)
_POWERS = {unit: power for power, unit in enumerate("KMGTP", start=1)}

EXPECTATION = 'a size such as "500GiB", "64MiB" or "1500000"'


def parse_size(text: str) -> int:
    """Read bytes; ``ValueError`` for anything that is not a size."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"expected {EXPECTATION}")
    number, unit, binary = match.groups()
    factor: int = (1024 if binary else 1000) ** _POWERS.get(unit, 0)
    return int(number) * factor
