"""Users, groups, permission targets and tokens, as they are kept. Pure values; secrets stand in them as hashes only.

A permission target says what users and groups may do in some repositories, at the paths that its patterns admit. What nobody is
given, nobody but an administrator has.
"""

import re
from typing import TypeVar

import msgspec

from regproxy.model.access import Action

ANONYMOUS = "anonymous"
"""The user who gives no name."""
ANY, ANY_LOCAL, ANY_REMOTE = "ANY", "ANY LOCAL", "ANY REMOTE"
"""In a target's repositories: every one, every local one, every remote one."""

_USER = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")
_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
_TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+ -]{0,63}")


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody. ``password`` is a hash, empty for one who can have tokens only."""

    name: str
    password: str = ""
    email: str = ""
    admin: bool = False
    enabled: bool = True
    groups: tuple[str, ...] = ()


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Users who are given rights together; new users are in those with ``auto_join``."""

    name: str
    description: str = ""
    auto_join: bool = False
    admin: bool = False


Granted = dict[str, tuple[Action, ...]]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What users and groups may do where."""

    name: str
    repositories: tuple[str, ...] = ()
    includes: tuple[str, ...] = ("**",)
    excludes: tuple[str, ...] = ()
    users: Granted = {}
    groups: Granted = {}


Entry = User | Group | Target
E = TypeVar("E", bound=Entry)


class TokenRow(msgspec.Struct, frozen=True, kw_only=True):
    """A token that was given out and not revoked.

    Attributes:
        reference: SHA-256 of the short form; empty if there is none.
        issued, expires: seconds since the epoch; None never.
        refresh: SHA-256 of what it can be refreshed by; empty if it cannot.
        kept: until when the row stays: longer than the token lasts, if it can be refreshed.
        replaces: the token that was refreshed for this one; empty if none was.
        replaced: when that was.
    """

    id: str
    subject: str
    scope: str
    issued: float
    expires: float | None = None
    reference: str = ""
    description: str = ""
    refresh: str = ""
    kept: float | None = None
    replaces: str = ""
    replaced: float = 0.0


def is_good_name(entry: Entry) -> bool:
    """Whether somebody or something may be called so."""
    match entry:
        case User():
            return _USER.fullmatch(entry.name) is not None
        case Group():
            return _GROUP.fullmatch(entry.name) is not None
        case Target():
            return _TARGET.fullmatch(entry.name) is not None


def without(entry: Entry, kind: type[Entry], name: str) -> Entry:
    """An entry when a user or group has gone: who comes later under the same name inherits nothing."""
    match entry:
        case User() if kind is Group and name in entry.groups:
            return msgspec.structs.replace(entry, groups=tuple(group for group in entry.groups if group != name))
        case Target() if kind is User and name in entry.users:
            return msgspec.structs.replace(entry, users={each: may for each, may in entry.users.items() if each != name})
        case Target() if kind is Group and name in entry.groups:
            return msgspec.structs.replace(entry, groups={each: may for each, may in entry.groups.items() if each != name})
        case _:
            return entry
