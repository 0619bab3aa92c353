"""How much a repository holds, and how people write such numbers. Pure."""

from attrs import frozen

_UNITS = ("bytes", "KB", "MB", "GB", "TB", "PB")
_STEP = 1024


@frozen
class Count:
    """Of one repository; a blob that it names twice is counted twice."""

    repository: str
    files: int
    folders: int
    size: int


def human(size: int) -> str:
    """``3.48 GB``."""
    value, unit = float(size), 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    return f"{size} bytes" if unit == 0 else f"{value:.2f} {_UNITS[unit]}"


def share(part: int, whole: int) -> str:
    """``12.5%``."""
    return f"{100 * part / whole:.2f}%" if whole else "0%"
