"""Users, groups and permission targets in one change of the directory: looked at, checked and kept, alone or all together.

Whatever is asked here (who there is, which administrators are left) still holds when what follows from it is written.
"""

from collections.abc import Callable, Collection, Iterable

import msgspec
from attrs import field, frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.index.interface_directory import Ledger
from regproxy.model.patterns import Patterns
from regproxy.model.principals import ANONYMOUS, E, Entry, Group, Target, User, is_good_name


@frozen
class Roster:
    """One change; what it raises undoes it. ``kept`` is told when it is over: entries, and whether they are new."""

    _ledger: Ledger
    kept: list[tuple[Entry, bool]] = field(factory=list, init=False)
    removed: list[tuple[type[Entry], str]] = field(factory=list, init=False)

    def get(self, kind: type[E], name: str) -> E | None:
        """Somebody or something."""
        return self._ledger.get(kind, name)

    def found(self, kind: type[E], name: str) -> E:
        """Likewise; NOT_FOUND if there is none."""
        entry = self._ledger.get(kind, name)
        if entry is None:
            raise RegproxyError(Kind.NOT_FOUND, f"there is no {kind.__name__.lower()} {name!a}")
        return entry

    def amend(self, kind: type[E], name: str, changed: Callable[[E], E]) -> E:
        """Change one that is there; as it is now."""
        entry = changed(self.found(kind, name))
        self.keep(entry)
        return entry

    def new_user(self, name: str, groups: Collection[str] | None) -> User:
        """One who is in the groups that every new user is in, if nothing is said of groups."""
        joined = [group.name for group in self._ledger.every(Group) if group.auto_join] if groups is None else groups
        return User(name=name.lower(), groups=tuple(joined))

    def keep(self, entry: Entry, *, replace: bool = True) -> bool:
        """Keep an entry; True if it is new. ``RegproxyError`` (INVALID, CONFLICT)."""
        if not is_good_name(entry) or (isinstance(entry, User) and entry.name == ANONYMOUS):
            raise RegproxyError(Kind.INVALID, f"nobody and nothing can be called {entry.name!a}")
        match entry:
            case User():
                self._named(Group, entry.groups)
                self._leaves_an_administrator(entry)
            case Target():
                self._named(User, [name for name in entry.users if name != ANONYMOUS])
                self._named(Group, entry.groups)
                try:
                    Patterns.of(",".join(entry.includes), ",".join(entry.excludes))
                except ValueError as error:
                    raise RegproxyError(Kind.INVALID, str(error)) from error
        is_new = self._ledger.put(entry, replace=replace)
        if not is_new and not replace:
            raise RegproxyError(Kind.CONFLICT, f"{entry.name} is there already")
        self.kept.append((entry, is_new))
        return is_new

    def remove(self, kind: type[Entry], name: str) -> bool:
        """Forget an entry; False if there is none."""
        if kind is User:
            self._leaves_an_administrator(User(name=name))
        is_gone = self._ledger.remove(kind, name)
        if is_gone:
            self.removed.append((kind, name))
        return is_gone

    def forget_repository(self, key: str) -> None:
        """Take it out of all permission targets: who makes another one of its name does not open that to the same people."""
        for target in self._ledger.every(Target):
            if key in target.repositories:
                left = tuple(each for each in target.repositories if each != key)
                self.keep(msgspec.structs.replace(target, repositories=left))

    def set_members(self, group: str, names: Collection[str]) -> None:
        """Have these in a group, and nobody else; INVALID for one who is none."""
        stay = {name.lower() for name in names}
        others = [user.name for user in self._ledger.every(User) if group in user.groups and user.name not in stay]
        self.enrol(group, names, others)

    def enrol(self, group: str, add: Collection[str], remove: Collection[str] = ()) -> None:
        """Have users join it and leave it, likewise; who is to do both joins."""
        joining, every = {name.lower() for name in add}, sorted({name.lower() for name in (*add, *remove)})
        self._named(User, every)
        for name in every:
            user = self.found(User, name)
            if (group in user.groups) is not (name in joining):
                left = tuple(each for each in user.groups if each != group)
                self.keep(msgspec.structs.replace(user, groups=(*left, group) if name in joining else left))

    def _named(self, kind: type[User] | type[Group], names: Iterable[str]) -> None:
        for name in names:
            if self._ledger.get(kind, name) is None:
                raise RegproxyError(Kind.INVALID, f"there is no {kind.__name__.lower()} {name!a}")

    def _leaves_an_administrator(self, changed: User) -> None:
        """One by himself: what groups give is no reason to let the last one go."""
        left = [each for each in self._ledger.every(User) if each.name != changed.name and each.admin and each.enabled]
        was = self._ledger.get(User, changed.name)
        if not left and was is not None and was.admin and not (changed.admin and changed.enabled):
            raise RegproxyError(Kind.CONFLICT, "there has to be an administrator who can log in")
