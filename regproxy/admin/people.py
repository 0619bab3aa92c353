"""``/api/security/{users,groups,permissions}`` and ``/api/v2/security/permissions``: for administrators."""

from collections.abc import Callable

from attrs import frozen
from klein import Klein
from twisted.web.resource import IResource

from regproxy.access.roster import Roster
from regproxy.admin.desk import Desk
from regproxy.admin.forms import GroupForm, TargetForm, UserForm, show_group, show_permissions, show_target, show_user, target_of
from regproxy.admin.old_permissions import OldTargetForm, show_old_target
from regproxy.admin.storage import render
from regproxy.model.principals import ANONYMOUS, Group, Target, User
from regproxy.repo.interface import Text
from regproxy.web.errors import envelope, register
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text
from regproxy.web.root import new_app

Kinds = type[User] | type[Group] | type[Target]


@frozen(eq=False)
class People:
    """The routes, to be mounted at ``/api``."""

    _desk: Desk

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
        send_text(request, render(show_user(self._desk.found(request, User, name.lower()))))

    @app.route("/security/users/<name>", methods=["PUT"])
    async def put_user(self, request: ProxyRequest, name: str) -> None:
        """Create one, or replace it; a new one needs a password to log in by it."""
        form = await self._desk.form(request, UserForm)
        await self._keep_user(request, lambda roster: roster.new_user(name, form.groups), form)

    @app.route("/security/users/<name>", methods=["POST"])
    async def change_user(self, request: ProxyRequest, name: str) -> None:
        """Change what is said of one."""
        form = await self._desk.form(request, UserForm)
        await self._keep_user(request, lambda roster: roster.found(User, name.lower()), form)

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
        group = self._desk.found(request, Group, name)
        send_text(request, render(show_group(group, self._desk.registering.members(name))))

    @app.route("/security/groups/<name>", methods=["PUT"])
    async def put_group(self, request: ProxyRequest, name: str) -> None:
        """Create one, or replace it."""
        form = await self._desk.form(request, GroupForm)
        await self._keep_group(request, lambda _: Group(name=name), form)

    @app.route("/security/groups/<name>", methods=["POST"])
    async def change_group(self, request: ProxyRequest, name: str) -> None:
        """Change what is said of one."""
        form = await self._desk.form(request, GroupForm)
        await self._keep_group(request, lambda roster: roster.found(Group, name), form)

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
        send_text(request, render(show_target(self._desk.found(request, Target, name))))

    @app.route("/v2/security/permissions/<name>", methods=["POST"])
    async def new_target(self, request: ProxyRequest, name: str) -> None:
        """Create one; 409 if it is there."""
        form = await self._desk.form(request, TargetForm)
        await self._desk.keep_target(target_of(name, form), replace=False)
        send_text(request, Text(b"", "text/plain", status=201))

    @app.route("/v2/security/permissions/<name>", methods=["PUT"])
    async def put_target(self, request: ProxyRequest, name: str) -> None:
        """Create one, or replace it."""
        form = await self._desk.form(request, TargetForm)
        self._said(request, is_new=await self._desk.keep_target(target_of(name, form)))

    @app.route("/v2/security/permissions/<name>", methods=["DELETE"])
    async def remove_target(self, request: ProxyRequest, name: str) -> None:
        """Remove one: what it gave, nobody has any more."""
        await self._remove(request, Target, name)

    @app.route("/v2/security/permissions/users/<name>", methods=["GET"])
    async def of_user(self, request: ProxyRequest, name: str) -> None:
        """Show what those that name a user give him."""
        if name.lower() != ANONYMOUS:
            self._desk.found(request, User, name.lower())
        every = self._desk.every(request, Target)
        send_text(request, render(show_permissions((each, each.users.get(name.lower())) for each in every)))

    @app.route("/v2/security/permissions/groups/<name>", methods=["GET"])
    async def of_group(self, request: ProxyRequest, name: str) -> None:
        """Show what those that name a group give it."""
        self._desk.found(request, Group, name)
        every = self._desk.every(request, Target)
        send_text(request, render(show_permissions((each, each.groups.get(name)) for each in every)))

    @app.route("/security/permissions", methods=["GET"])
    async def old_targets(self, request: ProxyRequest) -> None:
        """List them, for older scripts."""
        self._list(request, "security/permissions", Target)

    @app.route("/security/permissions/<name>", methods=["GET"])
    async def old_target(self, request: ProxyRequest, name: str) -> None:
        """Show one, likewise."""
        send_text(request, render(show_old_target(self._desk.found(request, Target, name))))

    @app.route("/security/permissions/<name>", methods=["PUT"])
    async def put_old_target(self, request: ProxyRequest, name: str) -> None:
        """Create one, or replace it, likewise."""
        form = await self._desk.form(request, OldTargetForm)
        self._said(request, is_new=await self._desk.keep_target(form.target(name)))

    @app.route("/security/permissions/<name>", methods=["DELETE"])
    async def remove_old_target(self, request: ProxyRequest, name: str) -> None:
        """Remove one."""
        await self._remove(request, Target, name)

    async def _keep_user(self, request: ProxyRequest, user: Callable[[Roster], User], form: UserForm) -> None:
        _, is_new = await self._desk.keep_user(lambda roster: form.changed(user(roster)), form.password)
        self._said(request, is_new=is_new)

    async def _keep_group(self, request: ProxyRequest, group: Callable[[Roster], Group], form: GroupForm) -> None:
        def keep(roster: Roster) -> bool:
            changed = form.changed(group(roster))
            is_new = roster.keep(changed)
            if form.user_names is not None:
                roster.set_members(changed.name, form.user_names)
            return is_new

        self._said(request, is_new=await self._desk.registering.change(keep))

    def _said(self, request: ProxyRequest, *, is_new: bool) -> None:
        send_text(request, Text(b"", "text/plain", status=201 if is_new else 200))

    def _list(self, request: ProxyRequest, below: str, kind: Kinds) -> None:
        every = self._desk.every(request, kind)
        send_text(request, render([{"name": each.name, "uri": self._desk.uri(request, f"api/{below}", each)} for each in every]))

    async def _remove(self, request: ProxyRequest, kind: Kinds, name: str) -> None:
        await self._desk.remove(request, kind, name)
        send_text(request, Text(f"{name} has been removed\n".encode(), "text/plain"))
