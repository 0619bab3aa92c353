"""Who may come to the administration; and what its APIs for users, groups and permission targets have in common."""

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar
from urllib.parse import quote

import msgspec
from attrs import frozen

from regproxy.access.principal import Principal
from regproxy.access.registering import Registering
from regproxy.access.roster import Roster
from regproxy.admin.forms import read, said
from regproxy.errors import Kind, RegproxyError
from regproxy.model.access import Action
from regproxy.model.principals import ANY, ANY_LOCAL, ANY_REMOTE, E, Entry, Target, User
from regproxy.telemetry.events import What
from regproxy.web.body import read_whole
from regproxy.web.gate import Gate
from regproxy.web.request import ProxyRequest

F = TypeVar("F")

LIMIT = 1 << 20
CACHE = "-cache"


def named(request: ProxyRequest, gate: Gate) -> Principal:
    """Who asks, by name; ``RegproxyError`` for one who has shown none."""
    principal = request.principal
    if principal is None or not principal.is_user:
        error = RegproxyError(Kind.UNAUTHENTICATED, "authentication is required")
        gate.challenge(request, error)
        raise error
    return principal


def administrator(request: ProxyRequest, gate: Gate) -> Principal:
    """Likewise, for one who is no administrator, or not by what he shows."""
    principal = named(request, gate)
    if not principal.is_administrator:
        gate.events.tell(What.DENIED, path="/".join(request.segments), action=Action.MANAGE.value)
        raise RegproxyError(Kind.DENIED, "this is for administrators")
    return principal


@frozen(eq=False)
class Desk:
    """Serves administrators; those who ask are looked at by ``form``, ``every`` and ``found``. ``_keys`` are those of all
    repositories.
    """

    gate: Gate
    registering: Registering
    _keys: Callable[[], Collection[str]]

    async def form(self, request: ProxyRequest, form: type[F]) -> F:
        """What is sent."""
        administrator(request, self.gate)
        return read(await read_whole(request.body, LIMIT), form)

    def every(self, request: ProxyRequest, kind: type[E]) -> Sequence[E]:
        """All of a kind."""
        administrator(request, self.gate)
        return self.registering.directory.every(kind)

    def found(self, request: ProxyRequest, kind: type[E], name: str) -> E:
        """Somebody or something."""
        administrator(request, self.gate)
        entry = self.registering.directory.get(kind, name)
        if entry is None:
            raise RegproxyError(Kind.NOT_FOUND, f"there is no {kind.__name__.lower()} {name!a}")
        return entry

    async def remove(self, request: ProxyRequest, kind: type[Entry], name: str) -> None:
        """Somebody or something that is there."""
        self.found(request, kind, name)
        await self.registering.change(lambda roster: roster.remove(kind, name))

    async def keep_target(self, target: Target, *, replace: bool = True, is_there: bool = False) -> bool:
        """Keep a permission target, one that ``is_there`` if that is said; whether it is new.

        It names no repository that is not there, but for those that it has named before: they may have gone since.
        """
        known = frozenset((ANY, ANY_LOCAL, ANY_REMOTE, *self._keys()))

        def keep(roster: Roster) -> bool:
            before = roster.found(Target, target.name) if is_there else roster.get(Target, target.name)
            is_new = roster.keep(target, replace=replace)
            for key in target.repositories:
                if key not in known and (before is None or key not in before.repositories):
                    raise _no_such(key, known)
            return is_new

        return await self.registering.change(keep)

    async def keep_user(self, user: Callable[[Roster], User], password: str | None, *, replace: bool = True) -> tuple[User, bool]:
        """Keep one, with another password if there is one; as he is now, and whether he is new.

        He is asked for when the password is hashed: he may have gone, or been disabled, meanwhile.
        """
        hashed = None if password is None else await self.registering.hash(password)

        def keep(roster: Roster) -> tuple[User, bool]:
            kept = msgspec.structs.replace(user(roster), **said(password=hashed))
            return kept, roster.keep(kept, replace=replace)

        return await self.registering.change(keep)

    def uri(self, request: ProxyRequest, below: str, entry: Entry) -> str:
        """Where it can be looked at."""
        return f"{self.gate.base_url(request)}/{below}/{quote(entry.name)}"


def _no_such(key: str, known: Collection[str]) -> RegproxyError:
    remote = key.removesuffix(CACHE)
    hint = f": a remote and what it has cached are meant by its own key, {remote!a}" if key != remote and remote in known else ""
    return RegproxyError(Kind.INVALID, f"there is no repository {key!a}{hint}")
