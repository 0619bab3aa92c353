"""What a query asks of a virtual repository: it is asked of the members, and found is what can be read through it.

Items stay those of the members, with the keys of these: a virtual repository holds nothing. Where one is asked for, each item
says in ``virtual_repos`` through which it is seen.
"""

from collections.abc import Mapping, Sequence

from attrs import frozen

from regproxy.admin.looking import name_of
from regproxy.model.access import Action
from regproxy.model.finding import AllOf, AnyOf, Compare, Criterion, Field, Found, How
from regproxy.web.request import ProxyRequest
from regproxy.web.virtual import Member, VirtualServed


@frozen(eq=False)
class Through:
    """Those that a query names, as they are for who asks, and what else it names."""

    criterion: Criterion
    _members: Mapping[str, Sequence[Member]]
    _named: frozenset[str]

    @classmethod
    def of(cls, request: ProxyRequest, criterion: Criterion, virtual: Mapping[str, VirtualServed]) -> "Through":
        """Look at a query."""
        asked = named_in(criterion)
        members = {key: virtual[key].members(request) for key in asked & virtual.keys()}
        names = {key: [name_of(each.served) for each in every] for key, every in members.items()}
        return cls(asked_of_members(criterion, names), members, asked)

    @property
    def is_asked(self) -> bool:
        """Whether there is any."""
        return bool(self._members)

    def seen(self, request: ProxyRequest, found: Found) -> Sequence[str]:
        """Through which of them an item is."""
        return [
            key
            for key, members in self._members.items()
            if any(
                each.served.owner.key == found.repository and each.permits(request, Action.READ, found.path) for each in members
            )
        ]

    def takes(self, found: Found, name: str, seen: Sequence[str]) -> bool:
        """Whether an item is one that was asked for, by its own repository or through one of them."""
        return not self._members or bool(seen) or name in self._named or found.repository in self._named


def named_in(criterion: Criterion) -> frozenset[str]:
    """The repositories that it names. Pure, as the next one."""
    match criterion:
        case Compare(Field.REPO, How.EQ, key):
            return frozenset((str(key),))
        case AllOf(parts) | AnyOf(parts):
            return frozenset().union(*map(named_in, parts))
        case _:
            return frozenset()


def asked_of_members(criterion: Criterion, members: Mapping[str, Sequence[str]]) -> Criterion:
    """The same, of any member in place of a virtual repository."""
    match criterion:
        case Compare(Field.REPO, How.EQ, key) if key in members:
            return AnyOf(tuple(Compare(Field.REPO, How.EQ, name) for name in members[str(key)]))
        case AllOf(parts):
            return AllOf(tuple(asked_of_members(part, members) for part in parts))
        case AnyOf(parts):
            return AnyOf(tuple(asked_of_members(part, members) for part in parts))
        case _:
            return criterion
