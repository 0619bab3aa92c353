"""``/api/security/users``, ``/api/security/groups`` and ``/api/v2/security/permissions``: for administrators."""

from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import quote

import msgspec
from attrs import frozen
from klein import Klein
from twisted.web.resource import IResource

from regproxy.access.principal import Principal
from regproxy.access.registering import Registering
from regproxy.admin.forms import GroupForm, TargetForm, UserForm, read, said, show_group, show_target, show_user, target_of
from regproxy.admin.storage import render
from regproxy.errors import Kind, RegproxyError
from regproxy.model.access import Action
from regproxy.model.principals import E, Entry, Group, Target, User
from regproxy.repo.interface import Text
from regproxy.telemetry.events import What
from regproxy.web.body import read_whole
from regproxy.web.errors import envelope, register
from regproxy.web.gate import Gate
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text
from regproxy.web.root import new_app

F = TypeVar("F")

LIMIT = 1 << 20


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


async def form_of(request: ProxyRequest, gate: Gate, form: type[F]) -> F:
    """What an administrator sends."""
    administrator(request, gate)
    return read(await read_whole(request.body, LIMIT), form)


def found(request: ProxyRequest, gate: Gate, registering: Registering, kind: type[E], name: str) -> E:
    """Somebody or something, for an administrator."""
    administrator(request, gate)
    entry = registering.directory.get(kind, name)
    if entry is None:
        raise RegproxyError(Kind.NOT_FOUND, f"there is no {kind.__name__.lower()} {name!a}")
    return entry


@frozen(eq=False)
class People:
    """The routes, to be mounted at ``/api``."""

    _gate: Gate
    _registering: Registering

    app = new_app()
    register(app, envelope)

    def resource(self) -> IResource:
        """To be mounted."""
        bound: Klein = self.app
        return bound.resource()

    @app.route("/security/users", methods=["GET"])
    async def users(self, request: ProxyRequest) -> None:
        """List them."""
        self._list(request, "security/users", User)

    @app.route("/security/users/<name>", methods=["GET"])
    async def user(self, request: ProxyRequest, name: str) -> None:
        """Show one."""
        send_text(request, render(show_user(self._found(request, User, name.lower()))))

    @app.route("/security/users/<name>", methods=["PUT"])
    async def put_user(self, request: ProxyRequest, name: str) -> None:
        """Create one, or replace it; a new one needs a password to log in by it."""
        form = await self._form(request, UserForm)
        groups = self._registering.auto_joined() if form.groups is None else form.groups
        user = User(name=name.lower(), groups=groups)
        await self._keep_user(request, lambda: user, form)

    @app.route("/security/users/<name>", methods=["POST"])
    async def change_user(self, request: ProxyRequest, name: str) -> None:
        """Change what is said of one."""
        form = await self._form(request, UserForm)
        await self._keep_user(request, lambda: self._found(request, User, name.lower()), form)

    @app.route("/security/users/<name>", methods=["DELETE"])
    async def remove_user(self, request: ProxyRequest, name: str) -> None:
        """Remove one, with his tokens."""
        await self._remove(request, User, name.lower())

    @app.route("/security/groups", methods=["GET"])
    async def groups(self, request: ProxyRequest) -> None:
        """List them."""
        self._list(request, "security/groups", Group)

    @app.route("/security/groups/<name>", methods=["GET"])
    async def group(self, request: ProxyRequest, name: str) -> None:
        """Show one, with its members."""
        group = self._found(request, Group, name)
        send_text(request, render(show_group(group, self._registering.members(name))))

    @app.route("/security/groups/<name>", methods=["PUT"])
    async def put_group(self, request: ProxyRequest, name: str) -> None:
        """Create one, or replace it."""
        form = await self._form(request, GroupForm)
        await self._keep_group(request, Group(name=name), form)

    @app.route("/security/groups/<name>", methods=["POST"])
    async def change_group(self, request: ProxyRequest, name: str) -> None:
        """Change what is said of one."""
        form = await self._form(request, GroupForm)
        await self._keep_group(request, self._found(request, Group, name), form)

    @app.route("/security/groups/<name>", methods=["DELETE"])
    async def remove_group(self, request: ProxyRequest, name: str) -> None:
        """Remove one; its members stay."""
        await self._remove(request, Group, name)

    @app.route("/v2/security/permissions", methods=["GET"])
    async def targets(self, request: ProxyRequest) -> None:
        """List them."""
        self._list(request, "v2/security/permissions", Target)

    @app.route("/v2/security/permissions/<name>", methods=["GET"])
    async def target(self, request: ProxyRequest, name: str) -> None:
        """Show one."""
        send_text(request, render(show_target(self._found(request, Target, name))))

    @app.route("/v2/security/permissions/<name>", methods=["POST"])
    async def new_target(self, request: ProxyRequest, name: str) -> None:
        """Create one; 409 if it is there."""
        form = await self._form(request, TargetForm)
        await self._registering.keep(target_of(name, form), replace=False)
        send_text(request, Text(b"", "text/plain", status=201))

    @app.route("/v2/security/permissions/<name>", methods=["PUT"])
    async def put_target(self, request: ProxyRequest, name: str) -> None:
        """Create one, or replace it."""
        form = await self._form(request, TargetForm)
        self._said(request, is_new=await self._registering.keep(target_of(name, form)))

    @app.route("/v2/security/permissions/<name>", methods=["DELETE"])
    async def remove_target(self, request: ProxyRequest, name: str) -> None:
        """Remove one: what it gave, nobody has any more."""
        await self._remove(request, Target, name)

    async def _form(self, request: ProxyRequest, form: type[F]) -> F:
        return await form_of(request, self._gate, form)

    async def _keep_user(self, request: ProxyRequest, user: Callable[[], User], form: UserForm) -> None:
        password = None if form.password is None else await self._registering.hash(form.password)
        changed = msgspec.structs.replace(form.changed(user()), **said(password=password))
        self._said(request, is_new=await self._registering.keep(changed))

    async def _keep_group(self, request: ProxyRequest, group: Group, form: GroupForm) -> None:
        self._registering.check_users(form.user_names or ())
        is_new = await self._registering.keep(form.changed(group))
        if form.user_names is not None:
            await self._registering.set_members(group.name, form.user_names)
        self._said(request, is_new=is_new)

    def _said(self, request: ProxyRequest, *, is_new: bool) -> None:
        send_text(request, Text(b"", "text/plain", status=201 if is_new else 200))

    def _list(self, request: ProxyRequest, below: str, kind: type[User] | type[Group] | type[Target]) -> None:
        administrator(request, self._gate)
        base_url = self._gate.base_url(request)
        every: Sequence[Entry] = self._registering.directory.every(kind)
        send_text(request, render([{"name": each.name, "uri": f"{base_url}/api/{below}/{quote(each.name)}"} for each in every]))

    def _found(self, request: ProxyRequest, kind: type[E], name: str) -> E:
        return found(request, self._gate, self._registering, kind, name)

    async def _remove(self, request: ProxyRequest, kind: type[User] | type[Group] | type[Target], name: str) -> None:
        self._found(request, kind, name)
        await self._registering.remove(kind, name)
        send_text(request, Text(f"{name} has been removed\n".encode(), "text/plain"))
