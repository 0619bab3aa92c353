"""Somebody whose identity is known, with what he may do: worked out when it is first asked, and remembered with him."""

from collections.abc import Sequence

from attrs import define, field

from regproxy.access.rights import EVERYTHING, Rights
from regproxy.access.scopes import Scope
from regproxy.model.access import Action
from regproxy.model.principals import ANONYMOUS, Target


@define(eq=False)
class Principal:
    """One who asks. Nobody may less than ``anonymous`` may; that is None for anonymous himself, and while he is shut out.

    Attributes:
        known_as: the name that permission targets know him by; empty for a token that has the rights of groups only.
        token: the row of the token that he has shown; empty for a password and for one who has shown nothing.
        expires: when what he has shown ends, in seconds since the epoch; None never.
    """

    name: str
    known_as: str
    admin: bool = False
    groups: Sequence[str] = ()
    scope: Scope | None = None
    token: str = ""
    expires: float | None = None
    _targets: Sequence[Target] = ()
    _anonymous: "Principal | None" = None
    _rights: dict[tuple[str, str], Rights] = field(factory=dict, init=False)

    @property
    def is_user(self) -> bool:
        """Whether he has a name of his own."""
        return self.name != ANONYMOUS

    @property
    def is_narrowed(self) -> bool:
        """Whether what he has shown gives less than he has."""
        return self.scope is not None and (bool(self.scope.grants) or self.scope.groups is not None)

    @property
    def is_administrator(self) -> bool:
        """Whether he may change users, rights and everybody's tokens: as himself, by nothing that was narrowed."""
        return self.admin and not self.is_narrowed

    @property
    def sees_all_numbers(self) -> bool:
        """Whether the metrics of every repository are for him."""
        return self.is_administrator or (self.admin and self.scope is not None and self.scope.metrics)

    def may(self, action: Action, repository: str, rclass: str, path: str) -> bool:
        """Whether he may do that."""
        rights = self._rights.get((repository, rclass)) or self._work_out(repository, rclass)
        if rights.allow(action, path) and (self.scope is None or self.scope.allows(repository, action, path)):
            return True
        return self._anonymous is not None and self._anonymous.may(action, repository, rclass, path)

    def knows(self, repository: str, rclass: str) -> bool:
        """Whether he may do anything there at all."""
        rights = self._rights.get((repository, rclass)) or self._work_out(repository, rclass)
        if rights.any and (self.scope is None or self.scope.reaches(repository)):
            return True
        return self._anonymous is not None and self._anonymous.knows(repository, rclass)

    def may_somewhere(self, action: Action, repository: str, rclass: str) -> bool:
        """Whether there may be a path at which he may do that."""
        rights = self._rights.get((repository, rclass)) or self._work_out(repository, rclass)
        if rights.allow_somewhere(action) and (self.scope is None or self.scope.reaches(repository)):
            return True
        return self._anonymous is not None and self._anonymous.may_somewhere(action, repository, rclass)

    def _work_out(self, repository: str, rclass: str) -> Rights:
        rights = EVERYTHING if self.admin else Rights.of(self.known_as, self.groups, repository, rclass, self._targets)
        self._rights[repository, rclass] = rights
        return rights
