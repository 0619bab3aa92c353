"""Finds the packaging formats: packages below ``regproxy.formats`` that export ``FORMAT``, and those of the entry-point group
``regproxy.formats.v1``. One of ours beats a third party's that claims the same package type.
"""

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points

import regproxy.formats
from regproxy.repo.interface import Format

GROUP = "regproxy.formats.v1"


def _ours() -> Iterator[Format]:
    for module in pkgutil.iter_modules(regproxy.formats.__path__):
        found = getattr(import_module(f"{regproxy.formats.__name__}.{module.name}"), "FORMAT", None)
        if found is not None:
            yield found


def _others() -> Iterator[Format]:
    for entry in entry_points(group=GROUP):
        yield entry.load()


def find_formats() -> Mapping[str, Format]:
    """The formats by package type; one format may serve several types."""
    return {name: found for found in (*_others(), *_ours()) for name in found.package_types}
