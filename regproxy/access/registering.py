"""Users, groups and permission targets as they come in: checked, then kept."""

from collections.abc import Collection, Iterable

import msgspec
from attrs import field, frozen
from twisted.internet.defer import Deferred

from regproxy.access.passwords import LONGEST, SHORTEST, hashed
from regproxy.errors import Kind, RegproxyError
from regproxy.index.interface_directory import Directory
from regproxy.model.patterns import Patterns
from regproxy.model.principals import ANONYMOUS, Entry, Group, Target, User, is_good_name
from regproxy.stream.apart import to_the_end
from regproxy.stream.pool import Pool
from regproxy.telemetry.events import Events, What

_KINDS: dict[type[Entry], What] = {User: What.USER, Group: What.GROUP, Target: What.PERMISSION}


@frozen
class Registering:
    """Works on the directory."""

    directory: Directory
    _pool: Pool
    _events: Events = field(factory=Events)

    @to_the_end("keeping somebody or something")
    async def keep(self, entry: Entry, *, replace: bool = True) -> bool:
        """Keep an entry; True if it is new. ``RegproxyError`` (INVALID, CONFLICT), and nothing is kept."""
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
        is_new = await self.directory.put(entry, replace=replace)
        if not is_new and not replace:
            raise RegproxyError(Kind.CONFLICT, f"{entry.name} is there already")
        self._events.tell(
            _KINDS[type(entry)], subject=entry.name, change="created" if is_new else "changed", detail=_shown(entry)
        )
        return is_new

    @to_the_end("removing somebody or something")
    async def remove(self, kind: type[Entry], name: str) -> bool:
        """Forget an entry; False if there is none."""
        if kind is User:
            self._leaves_an_administrator(User(name=name))
        removed = await self.directory.remove(kind, name)
        if removed:
            self._events.tell(_KINDS[kind], subject=name, change="removed")
        return removed

    def hash(self, password: str) -> "Deferred[str]":
        """Hash a password in a thread; INVALID for one that will not do. Its user may be another one behind that: look then."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise RegproxyError(Kind.INVALID, f"a password has {SHORTEST} to {LONGEST} characters")
        return self._pool.run(lambda: hashed(password))

    def auto_joined(self) -> tuple[str, ...]:
        """The groups that every new user is in."""
        return tuple(group.name for group in self.directory.every(Group) if group.auto_join)

    def members(self, group: str) -> list[str]:
        """Who is in it."""
        return [user.name for user in self.directory.every(User) if group in user.groups]

    def check_users(self, names: Iterable[str]) -> None:
        """INVALID for one who is none."""
        self._named(User, (name.lower() for name in names))

    async def set_members(self, group: str, names: Collection[str]) -> None:
        """Have these in it, and nobody else; INVALID for one who is none, and nothing has changed then."""
        stay = {name.lower() for name in names}
        await self.enrol(group, names, [name for name in self.members(group) if name not in stay])

    @to_the_end("changing a group")
    async def enrol(self, group: str, add: Collection[str], remove: Collection[str] = ()) -> None:
        """Have users join it and leave it, likewise."""
        self.check_users((*add, *remove))
        joining, every = {name.lower() for name in add}, sorted({name.lower() for name in (*add, *remove)})
        for name in every:
            user = self.directory.get(User, name)
            if user is not None and (group in user.groups) is not (name in joining):
                left = tuple(each for each in user.groups if each != group)
                await self.keep(msgspec.structs.replace(user, groups=(*left, group) if name in joining else left))

    def _named(self, kind: type[User] | type[Group], names: Iterable[str]) -> None:
        for name in names:
            if self.directory.get(kind, name) is None:
                raise RegproxyError(Kind.INVALID, f"there is no {kind.__name__.lower()} {name!a}")

    def _leaves_an_administrator(self, changed: User) -> None:
        left = [each for each in self.directory.every(User) if each.name != changed.name and each.admin and each.enabled]
        was = self.directory.get(User, changed.name)
        if not left and was is not None and was.admin and not (changed.admin and changed.enabled):
            raise RegproxyError(Kind.CONFLICT, "there has to be an administrator who can log in")


def _shown(entry: Entry) -> str:
    """What an entry gives, for the audit log: no secret stands there."""
    match entry:
        case User():
            told = [*(["admin"] if entry.admin else []), *([] if entry.enabled else ["disabled"])]
            return " ".join((*told, f"groups={','.join(entry.groups)}"))
        case Group():
            return "admin" if entry.admin else ""
        case Target():
            given = {**entry.users, **{f"group:{name}": may for name, may in entry.groups.items()}}
            rights = " ".join(f"{name}={','.join(action.value for action in may)}" for name, may in given.items())
            return f"{','.join(entry.repositories)} {rights}"
