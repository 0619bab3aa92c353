"""``/access/api/v2/{users,groups,permissions}``: for administrators. What ``people.py`` serves, as newer scripts ask for it."""

from collections.abc import Callable

from attrs import evolve, frozen
from klein import Klein
from twisted.web.resource import IResource

from regproxy.access.roster import Roster
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
from regproxy.admin.desk import Desk
from regproxy.admin.storage import render
from regproxy.model.principals import Entry, Group, Target, User
from regproxy.repo.interface import Text
from regproxy.web.errors import envelope, register
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text
from regproxy.web.root import new_app

_NOTHING = Text(b"", "text/plain", status=204)


@frozen(eq=False)
class AccessPeople:
    """The routes, to be mounted at ``/access``."""

    _desk: Desk

    app = new_app()
    register(app, envelope)

    def resource(self) -> IResource:
        """To be mounted."""
        bound: Klein = self.app
        return bound.resource()

    @app.route("/api/v2/users", methods=["GET"])
    async def users(self, request: ProxyRequest) -> None:
        """List them."""
        shown = [
            {"username": each.name, "uri": self._uri(request, "users", each), "realm": "internal", "status": _status(each)}
            for each in self._desk.every(request, User)
        ]
        send_text(request, render({"users": shown}))

    @app.route("/api/v2/users", methods=["POST"])
    async def new_user(self, request: ProxyRequest) -> None:
        """Create one; 409 if he is there."""
        form = await self._desk.form(request, AccountForm)
        await self._keep_user(request, lambda roster: roster.new_user(form.username, form.groups), form, is_new=True)

    @app.route("/api/v2/users/<name>", methods=["GET"])
    async def user(self, request: ProxyRequest, name: str) -> None:
        """Show one."""
        send_text(request, render(show_account(self._desk.found(request, User, name.lower()))))

    @app.route("/api/v2/users/<name>", methods=["PATCH"])
    async def change_user(self, request: ProxyRequest, name: str) -> None:
        """Change what is said of one."""
        form = await self._desk.form(request, AccountForm)
        await self._keep_user(request, lambda roster: roster.found(User, name.lower()), form, is_new=False)

    @app.route("/api/v2/users/<name>", methods=["DELETE"])
    async def remove_user(self, request: ProxyRequest, name: str) -> None:
        """Remove one, with his tokens."""
        await self._remove(request, User, name.lower())

    @app.route("/api/v2/users/<name>/groups", methods=["PATCH"])
    async def change_groups(self, request: ProxyRequest, name: str) -> None:
        """Have one join groups and leave others."""
        form = await self._desk.form(request, Membership)
        changed = await self._desk.registering.change(lambda roster: roster.amend(User, name.lower(), form.changed))
        send_text(request, render(show_account(changed)))

    @app.route("/api/v2/users/<name>/password", methods=["PUT"])
    async def change_password(self, request: ProxyRequest, name: str) -> None:
        """Give one another password."""
        form = await self._desk.form(request, PasswordForm)
        await self._desk.keep_user(lambda roster: roster.found(User, name.lower()), form.password)
        send_text(request, _NOTHING)

    @app.route("/api/v2/groups", methods=["GET"])
    async def groups(self, request: ProxyRequest) -> None:
        """List them."""
        self._list(request, "groups", "group_name", Group)

    @app.route("/api/v2/groups", methods=["POST"])
    async def new_group(self, request: ProxyRequest) -> None:
        """Create one, with its members; 409 if it is there."""
        form = await self._desk.form(request, TeamForm)
        await self._keep_group(request, lambda _: Group(name=form.name), form, is_new=True)

    @app.route("/api/v2/groups/<name>", methods=["GET"])
    async def group(self, request: ProxyRequest, name: str) -> None:
        """Show one, with its members."""
        self._show_group(request, self._desk.found(request, Group, name))

    @app.route("/api/v2/groups/<name>", methods=["PATCH"])
    async def change_group(self, request: ProxyRequest, name: str) -> None:
        """Change what is said of one."""
        form = await self._desk.form(request, TeamForm)
        await self._keep_group(request, lambda roster: roster.found(Group, name), form, is_new=False)

    @app.route("/api/v2/groups/<name>", methods=["DELETE"])
    async def remove_group(self, request: ProxyRequest, name: str) -> None:
        """Remove one; its members stay."""
        await self._remove(request, Group, name)

    @app.route("/api/v2/groups/<name>/members", methods=["PATCH"])
    async def change_members(self, request: ProxyRequest, name: str) -> None:
        """Have users join and leave."""
        form = await self._desk.form(request, Membership)

        def enrol(roster: Roster) -> None:
            roster.found(Group, name)
            roster.enrol(name, form.add, form.remove)

        await self._desk.registering.change(enrol)
        send_text(request, render({"members": self._desk.registering.members(name)}))

    @app.route("/api/v2/permissions", methods=["GET"])
    async def permissions(self, request: ProxyRequest) -> None:
        """List them."""
        self._list(request, "permissions", "permission_name", Target)

    @app.route("/api/v2/permissions", methods=["POST"])
    async def new_permission(self, request: ProxyRequest) -> None:
        """Create one; 409 if it is there."""
        form = await self._desk.form(request, PermissionForm)
        target = form.resources.artifact.target(form.name)
        await self._desk.keep_target(target, replace=False)
        send_text(request, evolve(render(show_permission(target)), status=201))

    @app.route("/api/v2/permissions/<name>", methods=["GET"])
    async def permission(self, request: ProxyRequest, name: str) -> None:
        """Show one."""
        send_text(request, render(show_permission(self._desk.found(request, Target, name))))

    @app.route("/api/v2/permissions/<name>/artifact", methods=["GET"])
    async def artifact(self, request: ProxyRequest, name: str) -> None:
        """Show what one gives."""
        send_text(request, render(show_artifact(self._desk.found(request, Target, name))))

    @app.route("/api/v2/permissions/<name>/artifact", methods=["PUT"])
    async def put_artifact(self, request: ProxyRequest, name: str) -> None:
        """Have one give this, and nothing else."""
        form = await self._desk.form(request, ArtifactForm)
        target = form.target(name)
        await self._desk.keep_target(target, is_there=True)
        send_text(request, render(show_artifact(target)))

    @app.route("/api/v2/permissions/<name>", methods=["DELETE"])
    async def remove_permission(self, request: ProxyRequest, name: str) -> None:
        """Remove one: what it gave, nobody has any more."""
        await self._remove(request, Target, name)

    async def _keep_user(self, request: ProxyRequest, user: Callable[[Roster], User], form: AccountForm, *, is_new: bool) -> None:
        password = None if form.internal_password_disabled else form.password
        kept, _ = await self._desk.keep_user(lambda roster: form.changed(user(roster)), password, replace=not is_new)
        send_text(request, evolve(render(show_account(kept)), status=201 if is_new else 200))

    async def _keep_group(self, request: ProxyRequest, group: Callable[[Roster], Group], form: TeamForm, *, is_new: bool) -> None:
        def keep(roster: Roster) -> Group:
            changed = form.changed(group(roster))
            roster.keep(changed, replace=not is_new)
            if form.members is not None:
                roster.set_members(changed.name, form.members)
            return changed

        self._show_group(request, await self._desk.registering.change(keep), 201 if is_new else 200)

    def _show_group(self, request: ProxyRequest, group: Group, status: int = 200) -> None:
        send_text(request, evolve(render(show_team(group, self._desk.registering.members(group.name))), status=status))

    def _list(self, request: ProxyRequest, below: str, word: str, kind: type[Group] | type[Target]) -> None:
        every = self._desk.every(request, kind)
        send_text(request, render({below: [{word: each.name, "uri": self._uri(request, below, each)} for each in every]}))

    def _uri(self, request: ProxyRequest, below: str, entry: Entry) -> str:
        return self._desk.uri(request, f"access/api/v2/{below}", entry)

    async def _remove(self, request: ProxyRequest, kind: type[Entry], name: str) -> None:
        await self._desk.remove(request, kind, name)
        send_text(request, _NOTHING)


def _status(user: User) -> str:
    return "enabled" if user.enabled else "disabled"
