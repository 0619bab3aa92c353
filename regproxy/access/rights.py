"""What somebody may do in one repository, worked out of all permission targets once, asked many times. Pure."""

from collections.abc import Iterable, Sequence
from typing import Self

from attrs import frozen

from regproxy.model.access import Action
from regproxy.model.patterns import Patterns
from regproxy.model.principals import ANY, ANY_LOCAL, ANY_REMOTE, Target

_ALL_PATHS = frozenset({(), ("**",), ("**/*",), ("**", "**/*")})

_ALL_OF = {
    "local": frozenset({ANY_LOCAL}),
    "remote": frozenset({ANY_REMOTE}),
    # It shows nothing but what may be seen in its members too.
    "virtual": frozenset({ANY_LOCAL, ANY_REMOTE}),
}


@frozen
class Rule:
    """Some actions, at some paths."""

    actions: frozenset[Action]
    paths: Patterns


@frozen
class Rights:
    """Of one principal in one repository: what he may do anywhere in it, and what at some paths only."""

    anywhere: frozenset[Action] = frozenset()
    rules: tuple[Rule, ...] = ()

    def allow(self, action: Action, path: str) -> bool:
        """Whether he may."""
        return action in self.anywhere or any(action in rule.actions and rule.paths.admits(path) for rule in self.rules)

    def allow_somewhere(self, action: Action) -> bool:
        """Whether he may, at some path or other."""
        return action in self.anywhere or any(action in rule.actions for rule in self.rules)

    @property
    def any(self) -> bool:
        """Whether he has any right at all: a repository in which he has none does not exist for him."""
        return bool(self.anywhere or self.rules)

    @classmethod
    def of(cls, user: str, groups: Sequence[str], repository: str, rclass: str, targets: Iterable[Target]) -> Self:
        """Work them out."""
        wanted = {repository, ANY, *_ALL_OF[rclass]}
        anywhere: set[Action] = set()
        rules = []
        for target in targets:
            if wanted.isdisjoint(target.repositories):
                continue
            granted = {*target.users.get(user, ()), *(action for group in groups for action in target.groups.get(group, ()))}
            if not granted:
                continue
            if target.includes in _ALL_PATHS and not target.excludes:
                anywhere |= granted
            else:
                paths = Patterns.of(",".join(target.includes), ",".join(target.excludes))
                rules.append(Rule(frozenset(granted), paths))
        return cls(frozenset(anywhere), tuple(rules))


EVERYTHING = Rights(frozenset(Action))
