"""``/api/repositories`` and ``/api/v2/repositories/batch``: lists and configurations for those who see a repository; who changes
them is an administrator.

A repository that is not there is a bad request to whoever asks for it, as scripts expect.
"""

from collections.abc import Mapping

from attrs import frozen
from klein import Klein
from twisted.web.resource import IResource

from regproxy.admin.arguments import Arguments
from regproxy.admin.declaring import Declaring
from regproxy.admin.desk import administrator
from regproxy.admin.forms import read
from regproxy.admin.repositories import chosen, configuration, public, summary
from regproxy.admin.storage import render
from regproxy.errors import Kind, RegproxyError
from regproxy.model.settings import RepositorySettings
from regproxy.repo.interface import Text
from regproxy.web.body import read_whole
from regproxy.web.catalog import Catalog
from regproxy.web.errors import envelope, register
from regproxy.web.gate import Gate
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text
from regproxy.web.root import new_app

LIMIT = 1 << 20
MOST = 100
"""Repositories in a batch."""
CREATED = "Successfully created repository '{key}' "
CHANGED = "Repository {key} update successfully."
CLASSES = ("LOCAL", "REMOTE", "VIRTUAL", "FEDERATED")


@frozen(eq=False)
class RepositoryRoutes:
    """The routes, to be mounted at ``/api``."""

    _catalog: Catalog
    _gate: Gate
    _declaring: Declaring

    app = new_app()
    register(app, envelope)

    def resource(self) -> IResource:
        """To be mounted."""
        bound: Klein = self.app
        return bound.resource()

    @app.route("/repositories", methods=["GET"])
    async def repositories(self, request: ProxyRequest) -> None:
        """List them."""
        arguments = Arguments.of(request.uri)
        every = [served.repository.settings for served in self._catalog if served.seen_by(request) is not None]
        found = chosen(every, *map(arguments.first, ("type", "packageType", "project")))
        base_url = self._gate.base_url(request)
        send_text(request, render([summary(settings, base_url) for settings in found]))

    @app.route("/repositories/configurations", methods=["GET"])
    async def configurations(self, request: ProxyRequest) -> None:
        """Show all of them, by class."""
        administrator(request, self._gate)
        arguments = Arguments.of(request.uri)
        every = [served.repository.settings for served in self._catalog]
        shown: dict[str, list[object]] = {rclass: [] for rclass in CLASSES}
        for settings in chosen(every, *map(arguments.first, ("repoType", "packageType", "project"))):
            shown[settings.rclass.upper()].append(self._configuration(settings))
        send_text(request, render({rclass: found for rclass, found in shown.items() if found}))

    @app.route("/repositories/<key>", methods=["GET"])
    async def repository(self, request: ProxyRequest, key: str) -> None:
        """Show one configuration."""
        served = self._catalog(key)
        if served is not None and served.seen_by(request) is not None:
            settings = served.repository.settings
            sees_all = request.principal is not None and request.principal.is_administrator
            send_text(request, render(self._configuration(settings) if sees_all else public(self._as_seen(request, settings))))
        elif self._catalog.admits(request):
            send_text(request, envelope(400, f"there is no repository {key!a}"))
        else:
            raise self._catalog.unknown(request, key)

    def _as_seen(self, request: ProxyRequest, settings: RepositorySettings) -> RepositorySettings:
        """Without those members that are hidden from who asks."""

        def is_seen(key: str) -> bool:
            member = self._catalog(key)
            return member is not None and member.seen_by(request) is not None

        return settings.with_members(is_seen)

    @app.route("/repositories/<key>", methods=["PUT"])
    async def create(self, request: ProxyRequest, key: str) -> None:
        """Make one."""
        await self._declaring.create({key: await self._form(request)})
        send_text(request, _text(CREATED.format(key=key)))

    @app.route("/repositories/<key>", methods=["POST"])
    async def change(self, request: ProxyRequest, key: str) -> None:
        """Change what is said of one."""
        await self._change({key: await self._form(request)})
        send_text(request, _text(CHANGED.format(key=key)))

    @app.route("/repositories/<key>", methods=["DELETE"])
    async def remove(self, request: ProxyRequest, key: str) -> None:
        """Remove one with everything in it."""
        administrator(request, self._gate)
        files = await self._declaring.remove(key)
        text = f"Repository {key} and all its content have been removed successfully."
        send_text(request, render({"repoKey": key, "message": text, "deletedArtifactsCount": files, "success": True}))

    @app.route("/v2/repositories/batch", methods=["PUT"])
    async def create_some(self, request: ProxyRequest) -> None:
        """Make several, or none."""
        every = await self._batch(request)
        await self._declaring.create(every)
        send_text(request, _text("".join(CREATED.format(key=key) for key in every), 201))

    @app.route("/v2/repositories/batch", methods=["POST"])
    async def change_some(self, request: ProxyRequest) -> None:
        """Change what is said of several, or of none."""
        every = await self._batch(request)
        await self._change(every)
        send_text(request, _text(" ".join(CHANGED.format(key=key) for key in every)))

    async def _form(self, request: ProxyRequest) -> Mapping[str, object]:
        administrator(request, self._gate)
        return read(await read_whole(request.body, LIMIT), dict[str, object])

    async def _batch(self, request: ProxyRequest) -> Mapping[str, Mapping[str, object]]:
        administrator(request, self._gate)
        forms = read(await read_whole(request.body, LIMIT), list[dict[str, object]])
        if not 0 < len(forms) <= MOST:
            raise RegproxyError(Kind.INVALID, f"expected a list of 1 to {MOST} repositories")
        every: dict[str, Mapping[str, object]] = {}
        for number, form in enumerate(forms):
            key = form.get("key")
            if not isinstance(key, str) or not key or key in every:
                fault = f"{key[:80]!a} is there twice" if isinstance(key, str) and key else f"number {number} has none, from 0"
                raise RegproxyError(Kind.INVALID, f"expected repositories, each with a key of its own: {fault}")
            every[key] = form
        return every

    async def _change(self, every: Mapping[str, Mapping[str, object]]) -> None:
        try:
            await self._declaring.change(every)
        except RegproxyError as error:
            raise RegproxyError(Kind.INVALID, error.text) if error.kind is Kind.NOT_FOUND else error from error

    def _configuration(self, settings: RepositorySettings) -> Mapping[str, object]:
        return configuration(settings, self._declaring.said(settings.key) or {})


def _text(line: str, status: int = 200) -> Text:
    return Text(line.encode(), "text/plain", status=status)
