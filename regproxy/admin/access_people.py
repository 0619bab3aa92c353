"""``/access/api/v2/{users,groups,permissions}``: for administrators. What ``people.py`` serves, as newer scripts ask for it."""

from collections.abc import Callable
from urllib.parse import quote

import msgspec
from attrs import evolve, frozen
from klein import Klein
from twisted.web.resource import IResource

from regproxy.access.registering import Registering
from regproxy.admin.access_forms import (
    AccountForm,
    ArtifactForm,
    Membership,
    PasswordForm,
    PermissionForm,
    TeamForm,
    show_account,
    show_artifact,
    show_permission,
    show_team,
)
from regproxy.admin.forms import said
from regproxy.admin.people import administrator, form_of, found
from regproxy.admin.storage import render
from regproxy.model.principals import E, Entry, Group, Target, User
from regproxy.repo.interface import Text
from regproxy.web.errors import envelope, register
from regproxy.web.gate import Gate
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text
from regproxy.web.root import new_app

_NOTHING = Text(b"", "text/plain", status=204)


@frozen(eq=False)
class AccessPeople:
    """The routes, to be mounted at ``/access``."""

    _gate: Gate
    _registering: Registering

    app = new_app()
    register(app, envelope)

    def resource(self) -> IResource:
        """To be mounted."""
        bound: Klein = self.app
        return bound.resource()

    @app.route("/api/v2/users", methods=["GET"])
    async def users(self, request: ProxyRequest) -> None:
        """List them."""
        administrator(request, self._gate)
        shown = [
            {"username": each.name, "uri": self._uri(request, "users", each), "realm": "internal", "status": _status(each)}
            for each in self._registering.directory.every(User)
        ]
        send_text(request, render({"users": shown}))

    @app.route("/api/v2/users", methods=["POST"])
    async def new_user(self, request: ProxyRequest) -> None:
        """Create one; 409 if he is there."""
        form = await form_of(request, self._gate, AccountForm)
        groups = self._registering.auto_joined() if form.groups is None else form.groups
        user = User(name=form.username.lower(), groups=groups)
        await self._keep_user(request, lambda: user, form, is_new=True)

    @app.route("/api/v2/users/<name>", methods=["GET"])
    async def user(self, request: ProxyRequest, name: str) -> None:
        """Show one."""
        send_text(request, render(show_account(self._found(request, User, name.lower()))))

    @app.route("/api/v2/users/<name>", methods=["PATCH"])
    async def change_user(self, request: ProxyRequest, name: str) -> None:
        """Change what is said of one."""
        form = await form_of(request, self._gate, AccountForm)
        await self._keep_user(request, lambda: self._found(request, User, name.lower()), form, is_new=False)

    @app.route("/api/v2/users/<name>", methods=["DELETE"])
    async def remove_user(self, request: ProxyRequest, name: str) -> None:
        """Remove one, with his tokens."""
        await self._remove(request, User, name.lower())

    @app.route("/api/v2/users/<name>/groups", methods=["PATCH"])
    async def change_groups(self, request: ProxyRequest, name: str) -> None:
        """Have one join groups and leave others."""
        form = await form_of(request, self._gate, Membership)
        user = self._found(request, User, name.lower())
        kept = [each for each in user.groups if each not in form.remove]
        changed = msgspec.structs.replace(user, groups=tuple(dict.fromkeys((*kept, *form.add))))
        await self._registering.keep(changed)
        send_text(request, render(show_account(changed)))

    @app.route("/api/v2/users/<name>/password", methods=["PUT"])
    async def change_password(self, request: ProxyRequest, name: str) -> None:
        """Give one another password."""
        form = await form_of(request, self._gate, PasswordForm)
        password = await self._registering.hash(form.password)
        user = self._found(request, User, name.lower())
        await self._registering.keep(msgspec.structs.replace(user, password=password))
        send_text(request, _NOTHING)

    @app.route("/api/v2/groups", methods=["GET"])
    async def groups(self, request: ProxyRequest) -> None:
        """List them."""
        self._list(request, "groups", "group_name", Group)

    @app.route("/api/v2/groups", methods=["POST"])
    async def new_group(self, request: ProxyRequest) -> None:
        """Create one, with its members; 409 if it is there."""
        form = await form_of(request, self._gate, TeamForm)
        self._registering.check_users(form.members or ())
        group = form.changed(Group(name=form.name))
        await self._registering.keep(group, replace=False)
        await self._registering.enrol(group.name, form.members or ())
        self._show_group(request, group, 201)

    @app.route("/api/v2/groups/<name>", methods=["GET"])
    async def group(self, request: ProxyRequest, name: str) -> None:
        """Show one, with its members."""
        self._show_group(request, self._found(request, Group, name))

    @app.route("/api/v2/groups/<name>", methods=["PATCH"])
    async def change_group(self, request: ProxyRequest, name: str) -> None:
        """Change what is said of one."""
        form = await form_of(request, self._gate, TeamForm)
        group = form.changed(self._found(request, Group, name))
        self._registering.check_users(form.members or ())
        await self._registering.keep(group)
        if form.members is not None:
            await self._registering.set_members(name, form.members)
        self._show_group(request, group)

    @app.route("/api/v2/groups/<name>", methods=["DELETE"])
    async def remove_group(self, request: ProxyRequest, name: str) -> None:
        """Remove one; its members stay."""
        await self._remove(request, Group, name)

    @app.route("/api/v2/groups/<name>/members", methods=["PATCH"])
    async def change_members(self, request: ProxyRequest, name: str) -> None:
        """Have users join and leave."""
        form = await form_of(request, self._gate, Membership)
        self._found(request, Group, name)
        await self._registering.enrol(name, form.add, form.remove)
        send_text(request, render({"members": self._registering.members(name)}))

    @app.route("/api/v2/permissions", methods=["GET"])
    async def permissions(self, request: ProxyRequest) -> None:
        """List them."""
        self._list(request, "permissions", "permission_name", Target)

    @app.route("/api/v2/permissions", methods=["POST"])
    async def new_permission(self, request: ProxyRequest) -> None:
        """Create one; 409 if it is there."""
        form = await form_of(request, self._gate, PermissionForm)
        target = form.resources.artifact.target(form.name)
        await self._registering.keep(target, replace=False)
        send_text(request, evolve(render(show_permission(target)), status=201))

    @app.route("/api/v2/permissions/<name>", methods=["GET"])
    async def permission(self, request: ProxyRequest, name: str) -> None:
        """Show one."""
        send_text(request, render(show_permission(self._found(request, Target, name))))

    @app.route("/api/v2/permissions/<name>/artifact", methods=["GET"])
    async def artifact(self, request: ProxyRequest, name: str) -> None:
        """Show what one gives."""
        send_text(request, render(show_artifact(self._found(request, Target, name))))

    @app.route("/api/v2/permissions/<name>/artifact", methods=["PUT"])
    async def put_artifact(self, request: ProxyRequest, name: str) -> None:
        """Have one give this, and nothing else."""
        form = await form_of(request, self._gate, ArtifactForm)
        self._found(request, Target, name)
        target = form.target(name)
        await self._registering.keep(target)
        send_text(request, render(show_artifact(target)))

    @app.route("/api/v2/permissions/<name>", methods=["DELETE"])
    async def remove_permission(self, request: ProxyRequest, name: str) -> None:
        """Remove one: what it gave, nobody has any more."""
        await self._remove(request, Target, name)

    async def _keep_user(self, request: ProxyRequest, user: Callable[[], User], form: AccountForm, *, is_new: bool) -> None:
        given = None if form.internal_password_disabled else form.password
        password = None if given is None else await self._registering.hash(given)
        changed = msgspec.structs.replace(form.changed(user()), **said(password=password))
        await self._registering.keep(changed, replace=not is_new)
        send_text(request, evolve(render(show_account(changed)), status=201 if is_new else 200))

    def _show_group(self, request: ProxyRequest, group: Group, status: int = 200) -> None:
        send_text(request, evolve(render(show_team(group, self._registering.members(group.name))), status=status))

    def _list(self, request: ProxyRequest, below: str, word: str, kind: type[Group] | type[Target]) -> None:
        administrator(request, self._gate)
        every: list[Entry] = [*self._registering.directory.every(kind)]
        send_text(request, render({below: [{word: each.name, "uri": self._uri(request, below, each)} for each in every]}))

    def _uri(self, request: ProxyRequest, below: str, entry: Entry) -> str:
        return f"{self._gate.base_url(request)}/access/api/v2/{below}/{quote(entry.name)}"

    def _found(self, request: ProxyRequest, kind: type[E], name: str) -> E:
        return found(request, self._gate, self._registering, kind, name)

    async def _remove(self, request: ProxyRequest, kind: type[Entry], name: str) -> None:
        self._found(request, kind, name)
        await self._registering.remove(kind, name)
        send_text(request, _NOTHING)


def _status(user: User) -> str:
    return "enabled" if user.enabled else "disabled"
