"""Users, groups and permissions in the JSON of ``/access/api/v2``: those of ``forms.py`` in other words. Pure.

What means nothing here is taken and left alone; what is wrong, or would be lost, is refused.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from regproxy.admin.forms import granted, one_by_one, said
from regproxy.errors import Kind, RegproxyError
from regproxy.model.principals import ANY_LOCAL, ANY_REMOTE, Group, Target, User

_ELSEWHERE = frozenset({"SCAN", "EXECUTE", "DISTRIBUTE"})
"""Actions on what this server does not have."""
_KINDS = {ANY_LOCAL: "ALL-LOCAL", ANY_REMOTE: "ALL-REMOTE"}
_TARGETS = {word: name for name, word in _KINDS.items()}


class AccountForm(msgspec.Struct, frozen=True):
    """Of a user; what is None stays as it is. ``username`` says who a new one is."""

    username: str = ""
    email: str | None = None
    password: str | None = None
    admin: bool | None = None
    groups: tuple[str, ...] | None = None
    status: Literal["enabled", "disabled"] | None = None
    internal_password_disabled: bool = False

    def changed(self, user: User) -> User:
        """A user with what is said here, but the password."""
        enabled = None if self.status is None else self.status == "enabled"
        password = "" if self.internal_password_disabled else None
        told = said(email=self.email, admin=self.admin, groups=self.groups, enabled=enabled, password=password)
        return msgspec.structs.replace(user, **told)


class TeamForm(msgspec.Struct, frozen=True):
    """Of a group, likewise; ``members`` are all of them."""

    name: str = ""
    description: str | None = None
    auto_join: bool | None = None
    admin_privileges: bool | None = None
    members: tuple[str, ...] | None = None

    def changed(self, group: Group) -> Group:
        """A group with what is said here, but the members."""
        told = said(description=self.description, auto_join=self.auto_join, admin=self.admin_privileges)
        return msgspec.structs.replace(group, **told)


class Membership(msgspec.Struct, frozen=True):
    """Who comes and who goes: users of a group, or groups of a user."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()

    def changed(self, user: User) -> User:
        """A user who has joined groups and left others; one that is to be both is joined."""
        kept = [each for each in user.groups if each not in self.remove]
        return msgspec.structs.replace(user, groups=tuple(dict.fromkeys((*kept, *self.add))))


class PasswordForm(msgspec.Struct, frozen=True):
    """A new password."""

    password: str


class _Actions(msgspec.Struct, frozen=True):
    users: dict[str, tuple[str, ...]] = {}
    groups: dict[str, tuple[str, ...]] = {}


class _Paths(msgspec.Struct, frozen=True):
    include_patterns: tuple[str, ...] = ()
    exclude_patterns: tuple[str, ...] = ()

    def patterns(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What is included, and what is not."""
        return one_by_one(self.include_patterns) or ("**",), one_by_one(self.exclude_patterns)


class ArtifactForm(msgspec.Struct, frozen=True):
    """What somebody may do in some repositories."""

    targets: dict[str, _Paths]
    actions: _Actions = _Actions()

    def target(self, name: str) -> Target:
        """What it says. A permission target has the same patterns for all its repositories."""
        paths = {
            (one_by_one(each.include_patterns) or ("**",), one_by_one(each.exclude_patterns)) for each in self.targets.values()
        }
        if len(paths) > 1:
            raise RegproxyError(Kind.INVALID, "the patterns have to be the same for all targets: make a permission for each")
        includes, excludes = next(iter(paths), (("**",), ()))
        return Target(
            name=name,
            repositories=tuple(_TARGETS.get(word, word) for word in self.targets),
            includes=includes,
            excludes=excludes,
            users=granted(_lowered(self.actions.users)),
            groups=granted(_lowered(self.actions.groups)),
        )


class _Resources(msgspec.Struct, frozen=True):
    artifact: ArtifactForm


class PermissionForm(msgspec.Struct, frozen=True):
    """Of a permission target."""

    name: str
    resources: _Resources


def _lowered(told: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    return {name: [word.lower() for word in words if word not in _ELSEWHERE] for name, words in told.items()}


def show_account(user: User) -> dict[str, object]:
    """One user, without secrets."""
    return {
        "username": user.name,
        "email": user.email,
        "groups": list(user.groups),
        "realm": "internal",
        "status": "enabled" if user.enabled else "disabled",
        "admin": user.admin,
        "profile_updatable": False,
        "internal_password_disabled": not user.password,
        "disable_ui_access": True,
    }


def show_team(group: Group, members: Sequence[str]) -> dict[str, object]:
    """One group."""
    return {
        "name": group.name,
        "description": group.description,
        "auto_join": group.auto_join,
        "admin_privileges": group.admin,
        "realm": "internal",
        "members": list(members),
    }


def show_artifact(target: Target) -> dict[str, object]:
    """What a permission target gives."""
    paths = {"include_patterns": list(target.includes), "exclude_patterns": list(target.excludes)}
    actions = {
        kind: {name: [action.value.upper() for action in may] for name, may in given.items()}
        for kind, given in (("users", target.users), ("groups", target.groups))
    }
    return {"actions": actions, "targets": {_KINDS.get(each, each): paths for each in target.repositories}}


def show_permission(target: Target) -> dict[str, object]:
    """One permission target."""
    return {"name": target.name, "resources": {"artifact": show_artifact(target)}}
