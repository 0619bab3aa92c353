"""What a token may be used for, as its scope says; a token never may more than its owner. Pure.

``applied-permissions/user`` is all that the owner may do, ``applied-permissions/admin`` the same of an administrator,
``applied-permissions/groups:a,b`` what those groups may do, ``artifact:REPOSITORY[/PATTERN]:r,w,d,a,m`` some actions at some
paths, ``system:metrics:r`` the numbers of all repositories and nothing in them.
"""

import re
from typing import Self

from attrs import field, frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.model.access import Action
from regproxy.model.patterns import Patterns

USER = "applied-permissions/user"
ADMIN = "applied-permissions/admin"
METRICS = "system:metrics:r"
LONGEST = 500
_GROUPS = "applied-permissions/groups:"
_ARTIFACT = re.compile(r"artifact:([A-Za-z0-9._-]+|\*)(?:/(.*))?:([rwdam*](?:,[rwdam*])*)")
_ACTIONS = {"r": Action.READ, "w": Action.WRITE, "d": Action.DELETE, "a": Action.ANNOTATE, "m": Action.MANAGE}
LETTERS = {action: letter for letter, action in _ACTIONS.items()}


@frozen
class Grant:
    """Some actions in one repository, or in all."""

    repository: str
    paths: Patterns
    actions: frozenset[Action]

    def allows(self, repository: str, action: Action, path: str) -> bool:
        """Whether it says so."""
        return action in self.actions and self.repository in ("*", repository) and self.paths.admits(path)


_NOTHING = Grant("", Patterns.of("**"), frozenset())
"""A token with this grant only may do nothing in any repository."""


@frozen
class Scope:
    """One scope; ``grants`` are empty for a token that may whatever its owner, or its groups, may. ``metrics`` are the numbers of
    repositories that its owner sees.
    """

    text: str
    admin: bool = False
    metrics: bool = False
    groups: tuple[str, ...] | None = None
    grants: tuple[Grant, ...] = field(default=())

    @classmethod
    def of(cls, text: str) -> Self:
        """Read it; ``RegproxyError`` (INVALID) for what is none."""
        groups: tuple[str, ...] | None = None
        grants, words = [], text.split()
        if not words or len(text) > LONGEST:
            raise RegproxyError(Kind.INVALID, f"a scope has 1 to {LONGEST} characters")
        for word in words:
            artifact = _ARTIFACT.fullmatch(word)
            if word.startswith(_GROUPS):
                named = word.removeprefix(_GROUPS).replace('"', "").split(",")
                groups = (*(groups or ()), *filter(None, named))
            elif artifact is not None:
                grants.append(_grant(artifact))
            elif word == METRICS:
                grants.append(_NOTHING)
            elif word not in (USER, ADMIN):
                raise RegproxyError(Kind.INVALID, f"expected a scope such as {USER} or artifact:REPOSITORY/PATH:r, not {word!a}")
        if groups is not None and (USER in words or ADMIN in words):
            raise RegproxyError(Kind.INVALID, "a token is its owner's, or its groups'")
        return cls(text, ADMIN in words, METRICS in words, groups, () if USER in words or ADMIN in words else tuple(grants))

    def narrowed(self, grant: str) -> str:
        """The text of a scope for one thing that this one allows; a token that has the rights of groups has no others then."""
        return " ".join([*(word for word in self.text.split() if word.startswith(_GROUPS)), grant])

    def allows(self, repository: str, action: Action, path: str) -> bool:
        """Whether it can be used for that, if its owner may do it."""
        return not self.grants or any(grant.allows(repository, action, path) for grant in self.grants)

    def reaches(self, repository: str) -> bool:
        """Whether it can be used for anything there."""
        return not self.grants or any(grant.repository in ("*", repository) for grant in self.grants)


def _grant(match: re.Match[str]) -> Grant:
    repository, path, letters = match.groups()
    actions = frozenset(Action) if "*" in letters else frozenset(_ACTIONS[letter] for letter in letters.split(","))
    try:
        return Grant(repository, Patterns.of(path or "**"), actions)
    except ValueError as error:
        raise RegproxyError(Kind.INVALID, str(error)) from error
