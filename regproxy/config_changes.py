"""Compares two configurations at a reload: which repositories differ, and what only a restart can change."""

import msgspec
from attrs import frozen

from regproxy.model.settings import Configuration

_RESTART = ("server", "limits", "archives", "store", "index", "access", "log")


@frozen
class Changes:
    """What is new.

    Attributes:
        added, removed, replaced: keys of repositories; a changed proxy or certificate replaces those that name it.
        mappings: ``[docker]`` differs.
        refused: one line for each key that needs a restart; if there is any, nothing of the new configuration may be used.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    mappings: bool = False
    refused: tuple[str, ...] = ()


def changed(old: Configuration, new: Configuration) -> Changes:
    """Compare what runs with what was loaded."""
    before = {item.key: item for item in old.repository}
    after = {item.key: item for item in new.repository}
    moved = _differing({item.key: item for item in old.proxy}, {item.key: item for item in new.proxy})
    turned = _differing({item.alias: item for item in old.certificate}, {item.alias: item for item in new.certificate})
    replaced = [
        key
        for key in before.keys() & after.keys()
        if before[key] != after[key] or after[key].proxy in moved or after[key].client_tls_certificate in turned
    ]
    return Changes(
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        replaced=tuple(sorted(replaced)),
        mappings=old.docker != new.docker,
        refused=tuple(_refused(old, new)),
    )


def _differing(old: dict[str, msgspec.Struct], new: dict[str, msgspec.Struct]) -> set[str]:
    return {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}


def _refused(old: Configuration, new: Configuration) -> list[str]:
    return [
        f"{section}.{field.encode_name}: expected the value that it had at the start; a change needs a restart"
        for section in _RESTART
        for field in msgspec.structs.fields(type(getattr(old, section)))
        if getattr(getattr(old, section), field.name) != getattr(getattr(new, section), field.name)
    ]
