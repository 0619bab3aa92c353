"""Permission targets as ``/api/security/permissions`` writes them: with letters for actions, and patterns in one text. Pure."""

from collections.abc import Mapping, Sequence

import msgspec

from regproxy.errors import Kind, RegproxyError
from regproxy.model.access import Action
from regproxy.model.principals import Granted, Target

LETTERS = {"r": Action.READ, "w": Action.WRITE, "n": Action.ANNOTATE, "d": Action.DELETE, "m": Action.MANAGE}
_WRITTEN = {action: letter for letter, action in LETTERS.items()}
_ELSEWHERE = frozenset({"mxm", "x"})
"""Actions on what this server does not have."""


class _Principals(msgspec.Struct, frozen=True):
    users: dict[str, tuple[str, ...]] = {}
    groups: dict[str, tuple[str, ...]] = {}


class OldTargetForm(msgspec.Struct, frozen=True, rename="camel"):
    """Of a permission target."""

    repositories: tuple[str, ...]
    includes_pattern: str = "**"
    excludes_pattern: str = ""
    principals: _Principals = _Principals()

    def target(self, name: str) -> Target:
        """What it says; ``RegproxyError`` (INVALID) for a letter that is no action."""
        return Target(
            name=name,
            repositories=self.repositories,
            includes=_patterns(self.includes_pattern) or ("**",),
            excludes=_patterns(self.excludes_pattern),
            users=_granted(self.principals.users),
            groups=_granted(self.principals.groups),
        )


def show_old_target(target: Target) -> dict[str, object]:
    """One permission target."""
    return {
        "name": target.name,
        "includesPattern": ",".join(target.includes),
        "excludesPattern": ",".join(target.excludes),
        "repositories": list(target.repositories),
        "principals": {"users": _letters(target.users), "groups": _letters(target.groups)},
    }


def _patterns(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (pattern.strip() for pattern in text.split(","))))


def _granted(told: Mapping[str, Sequence[str]]) -> Granted:
    unknown = {letter for letters in told.values() for letter in letters} - LETTERS.keys() - _ELSEWHERE
    if unknown:
        raise RegproxyError(Kind.INVALID, f"{min(unknown)!a} is no action: r, w, n, d and m are")
    return {name: tuple(LETTERS[letter] for letter in letters if letter in LETTERS) for name, letters in told.items()}


def _letters(given: Granted) -> dict[str, list[str]]:
    return {name: [_WRITTEN[action] for action in may] for name, may in given.items()}
