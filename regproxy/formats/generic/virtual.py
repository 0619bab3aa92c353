"""The routes of a virtual repository: files of the first member that has them, folders of all, uploads for one."""

from collections.abc import Sequence

from attrs import frozen

from regproxy.formats.generic.listing import listing
from regproxy.formats.generic.local import LocalRoutes
from regproxy.formats.generic.names import want_for
from regproxy.model.access import Action
from regproxy.model.want import Want
from regproxy.repo.interface import Answer, Elsewhere, Missing, Serving, ServingSeveral, Text
from regproxy.repo.virtual import first, in_order, united
from regproxy.web.errors import envelope, register
from regproxy.web.guard import readable
from regproxy.web.request import ProxyRequest
from regproxy.web.root import new_app

_READ = ["GET", "HEAD"]


@frozen(eq=False)
class VirtualRoutes:
    """The addresses of one repository."""

    serving: ServingSeveral

    app = new_app()
    register(app, envelope)

    @app.route("/", methods=_READ)
    @app.route("/<path:path>", methods=_READ)
    async def read(self, request: ProxyRequest, path: str = "") -> None:  # noqa: ARG002 - the request has it undecoded
        """Serve a file, or list a folder."""
        request.node = "/".join(request.rest)
        members = self.serving.members(request)
        if not request.rest or not request.rest[-1]:
            self.serving.permit(request, Action.READ, request.node)
            await self.serving.send(request, await self._listing(request, members, request.node))
            return
        wants = {member: _want(request, member) for member in members}
        self.serving.permit(request, Action.READ, request.node)

        async def ask(member: Serving) -> Answer:
            for each in {wants[member].upstream, wants[member].path}:  # what hides a file hides it behind every query
                member.permit(request, Action.READ, each)
            return await member.repository.resolve(wants[member])

        ordered = in_order(members, lambda member: member.repository.has(wants[member].path))
        absent = Missing(f"no member of {self.serving.repository.key} has it")
        found, answer = await first(ordered, ask, absent)
        if isinstance(answer, Missing) and await self._is_folder(request, members, f"{request.node}/"):
            answer = Elsewhere(request.path.decode("ascii") + "/", 302)
        await (found or self.serving).send(request, answer)

    async def _is_folder(self, request: ProxyRequest, members: Sequence[Serving], path: str) -> bool:
        """Whether there is one in which he sees anything."""
        for member in members:
            if member.permits(request, Action.READ, path) and await member.tree.folder(path) is not None:
                return True
        return False

    async def _listing(self, request: ProxyRequest, members: Sequence[Serving], path: str) -> Text | Missing:
        key = self.serving.repository.key
        if path and not await self._is_folder(request, members, path):
            return Missing(f"no member of {key} has it")
        seen = [readable(member, request, path, await member.tree.children(path)) for member in members]
        return listing(f"{key}/{path}", f"{request.mount}/{path}", united(seen))

    @app.route("/<path:path>", methods=["PUT"])
    async def put(self, request: ProxyRequest, path: str) -> None:
        """Deploy to the member that takes uploads."""
        member, repository = self.serving.deployment(request)
        await LocalRoutes(member, repository, self.serving.repository.key).put(request, path)

    @app.route("/<path:path>", methods=["DELETE"])
    async def delete(self, request: ProxyRequest, path: str) -> None:
        """Delete in the member that takes uploads."""
        member, repository = self.serving.deployment(request)
        await LocalRoutes(member, repository).delete(request, path)


def _want(request: ProxyRequest, member: Serving) -> Want:
    passed = member.repository.settings.propagate_query_params
    query = request.uri.partition(b"?")[2].decode("latin-1") if passed else ""
    return want_for(request.rest, request.rest_slash, body=request.method == b"GET", query=query)
