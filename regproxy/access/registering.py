"""Changes who there is and what they may do, and tells of it."""

from collections.abc import Callable
from typing import TypeVar

from attrs import field, frozen
from twisted.internet.defer import Deferred

from regproxy.access.passwords import LONGEST, SHORTEST, hashed
from regproxy.access.roster import Roster
from regproxy.errors import Kind, RegproxyError
from regproxy.index.interface_directory import Directory, Ledger
from regproxy.model.principals import Entry, Group, Target, User
from regproxy.stream.apart import to_the_end
from regproxy.stream.pool import Pool
from regproxy.telemetry.events import Events, What

T = TypeVar("T")

_KINDS: dict[type[Entry], What] = {User: What.USER, Group: What.GROUP, Target: What.PERMISSION}


@frozen
class Registering:
    """Works on the directory."""

    directory: Directory
    _pool: Pool
    _events: Events = field(factory=Events)

    @to_the_end("changing users, groups or permissions")
    async def change(self, work: Callable[[Roster], T]) -> T:
        """Do all of it, or nothing if it raises."""
        rosters: list[Roster] = []

        def change(ledger: Ledger) -> T:
            rosters.append(Roster(ledger))
            return work(rosters[0])

        result = await self.directory.change(change)
        for entry, is_new in rosters[0].kept:
            told = "created" if is_new else "changed"
            self._events.tell(_KINDS[type(entry)], subject=entry.name, change=told, detail=_shown(entry))
        for kind, name in rosters[0].removed:
            self._events.tell(_KINDS[kind], subject=name, change="removed")
        return result

    def hash(self, password: str) -> "Deferred[str]":
        """Hash a password in a thread; INVALID for one that will not do. Its user may be another one behind that: look then."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise RegproxyError(Kind.INVALID, f"a password has {SHORTEST} to {LONGEST} characters")
        return self._pool.run(lambda: hashed(password))

    def members(self, group: str) -> list[str]:
        """Who is in it."""
        return [user.name for user in self.directory.every(User) if group in user.groups]


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
