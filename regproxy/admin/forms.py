"""How users, groups, permission targets and tokens are written in JSON, in the shapes that scripts of this field rely on. Pure.

What means nothing here is taken and left alone; what is wrong is refused.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeVar

import msgspec

from regproxy.errors import Kind, RegproxyError
from regproxy.model.access import Action
from regproxy.model.principals import Granted, Group, Target, TokenRow, User
from regproxy.web.items import when

T = TypeVar("T")

_ELSEWHERE = frozenset({"managedXrayMeta", "distribute"})
"""Actions on what this server does not have."""


class UserForm(msgspec.Struct, frozen=True, rename="camel"):
    """Of a user; what is None stays as it is."""

    email: str | None = None
    password: str | None = None
    admin: bool | None = None
    groups: tuple[str, ...] | None = None
    status: Literal["enabled", "disabled"] | None = None

    def changed(self, user: User) -> User:
        """A user with what is said here, but the password."""
        enabled = None if self.status is None else self.status == "enabled"
        return msgspec.structs.replace(user, **said(email=self.email, admin=self.admin, groups=self.groups, enabled=enabled))


class GroupForm(msgspec.Struct, frozen=True, rename="camel"):
    """Of a group, likewise; ``user_names`` are all its members."""

    description: str | None = None
    auto_join: bool | None = None
    admin_privileges: bool | None = None
    user_names: tuple[str, ...] | None = None

    def changed(self, group: Group) -> Group:
        """A group with what is said here, but the members."""
        told = said(description=self.description, auto_join=self.auto_join, admin=self.admin_privileges)
        return msgspec.structs.replace(group, **told)


class _Actions(msgspec.Struct, frozen=True):
    users: dict[str, tuple[str, ...]] = {}
    groups: dict[str, tuple[str, ...]] = {}


class _Place(msgspec.Struct, frozen=True, rename="kebab"):
    repositories: tuple[str, ...]
    include_patterns: tuple[str, ...] = ("**",)
    exclude_patterns: tuple[str, ...] = ()
    actions: _Actions = _Actions()


class TargetForm(msgspec.Struct, frozen=True):
    """Of a permission target."""

    repo: _Place


def said(**told: object) -> dict[str, object]:
    """What is not None."""
    return {name: value for name, value in told.items() if value is not None}


def one_by_one(patterns: Sequence[str]) -> tuple[str, ...]:
    """Patterns, one in each place; ``RegproxyError`` (INVALID) for several in one."""
    if any("," in pattern for pattern in patterns):
        raise RegproxyError(Kind.INVALID, "one pattern has no comma")
    return tuple(filter(None, patterns))


def read(body: bytes, form: type[T]) -> T:
    """Read a form; ``RegproxyError`` (INVALID) says what is wrong with it."""
    try:
        return msgspec.json.decode(body, type=form)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise RegproxyError(Kind.INVALID, f"the body is not what is expected: {error}") from error


def target_of(name: str, form: TargetForm) -> Target:
    """What a form says."""
    place = form.repo
    return Target(
        name=name,
        repositories=place.repositories,
        includes=one_by_one(place.include_patterns) or ("**",),
        excludes=one_by_one(place.exclude_patterns),
        users=granted(place.actions.users),
        groups=granted(place.actions.groups),
    )


def granted(told: Mapping[str, Sequence[str]]) -> Granted:
    """What is given to whom; ``RegproxyError`` (INVALID) for a word that is no action."""
    try:
        return {name: tuple(Action(word) for word in words if word not in _ELSEWHERE) for name, words in told.items()}
    except ValueError as error:
        raise RegproxyError(Kind.INVALID, f"{error}: read, write, annotate, delete and manage are actions") from error


def show_user(user: User) -> dict[str, object]:
    """One user, without secrets."""
    return {
        "name": user.name,
        "email": user.email,
        "admin": user.admin,
        "groups": list(user.groups),
        "status": "enabled" if user.enabled else "disabled",
        "internalPasswordDisabled": not user.password,
        "realm": "internal",
    }


def show_group(group: Group, members: Sequence[str]) -> dict[str, object]:
    """One group."""
    return {
        "name": group.name,
        "description": group.description,
        "autoJoin": group.auto_join,
        "adminPrivileges": group.admin,
        "userNames": list(members),
        "realm": "internal",
    }


def show_target(target: Target) -> dict[str, object]:
    """One permission target."""
    actions = {
        kind: {name: _words(may) for name, may in given.items()}
        for kind, given in (("users", target.users), ("groups", target.groups))
    }
    return {"name": target.name, "repo": {**_place(target), "actions": actions}}


def show_permissions(given: Iterable[tuple[Target, Sequence[Action] | None]]) -> list[dict[str, object]]:
    """Of those permission targets that give somebody anything, what they do."""
    return [{"name": each.name, "repo": {**_place(each), "actions": _words(may)}} for each, may in given if may is not None]


def _place(target: Target) -> dict[str, object]:
    return {
        "repositories": list(target.repositories),
        "include-patterns": list(target.includes),
        "exclude-patterns": list(target.excludes),
    }


def _words(may: Sequence[Action]) -> list[str]:
    return [action.value for action in may]


def show_token(token: TokenRow) -> dict[str, object]:
    """One token, without anything that could be used in its place."""
    shown: dict[str, object] = {
        "token_id": token.id,
        "subject": token.subject,
        "scope": token.scope,
        "issued_at": int(token.issued),
        "issued": when(token.issued),
        "description": token.description,
        "has_reference": bool(token.reference),
    }
    return shown if token.expires is None else {**shown, "expiry": int(token.expires)}
