"""``POST /repository/{list,show,create,change,delete}`` on the control socket: what an administrator does to repositories."""

from collections.abc import Mapping, Sequence

import msgspec
from attrs import frozen
from twisted.web.resource import Resource

from regproxy.admin.forms import read
from regproxy.admin.repositories import configuration
from regproxy.declared import Declared
from regproxy.errors import Kind, RegproxyError
from regproxy.keeping import Command, Post
from regproxy.model.settings import RepositorySettings


class Listed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One repository in a list.

    Attributes:
        url: of a remote's upstream; ``auto`` where it is not known.
        declared: where it is declared and can be changed: ``file`` or ``api``.
    """

    key: str
    rclass: str
    package_type: str
    url: str
    declared: str
    description: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be said of a repository."""

    key: str
    said: dict[str, object] = {}


@frozen
class RepositoryCommands:
    """On the repositories of one process."""

    _declared: Declared

    def resources(self) -> Mapping[bytes, Resource]:
        """What the control socket mounts."""
        commands: dict[bytes, Command] = {
            b"list": self._list,
            b"show": self._show,
            b"create": self._create,
            b"change": self._change,
            b"delete": self._delete,
        }
        mounted = Resource()
        for verb, command in commands.items():
            mounted.putChild(verb, Post(command))
        return {b"repository": mounted}

    async def _list(self, _: str) -> Sequence[Listed]:
        return [self._listed(settings) for settings in sorted(self._declared.every(), key=lambda each: each.key)]

    def _listed(self, settings: RepositorySettings) -> Listed:
        return Listed(
            key=settings.key,
            rclass=settings.rclass,
            package_type=settings.package_type,
            url=settings.url,
            declared="file" if self._declared.said(settings.key) is None else "api",
            description=settings.description,
        )

    async def _show(self, target: str) -> Mapping[str, object]:
        found = next((settings for settings in self._declared.every() if settings.key == target), None)
        if found is None:
            raise RegproxyError(Kind.NOT_FOUND, f"there is no repository {target!a}")
        return configuration(found, self._declared.said(target) or {})

    async def _create(self, target: str) -> Mapping[str, object]:
        change = read(target.encode(), Change)
        await self._declared.create({change.key: change.said})
        return await self._show(change.key)

    async def _change(self, target: str) -> Mapping[str, object]:
        change = read(target.encode(), Change)
        await self._declared.change({change.key: change.said})
        return await self._show(change.key)

    async def _delete(self, target: str) -> Mapping[str, object]:
        return {"deleted": target, "files": await self._declared.remove(target)}
