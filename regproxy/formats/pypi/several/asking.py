"""One request to a virtual repository, put to its members: whose project it is, and what they have of it.

A name is its owner's (``repo/ownership.py``), for pages and for files alike, so that every address on a page leads to the bytes
of which it tells. Addresses do not name a member: their digest does as well, and they are the same at the member's own address.
Where there is no digest, a member that cannot be asked ends the search.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import cast

from attrs import frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.pypi import address
from regproxy.formats.pypi.documents import Documents
from regproxy.formats.pypi.files import Files
from regproxy.formats.pypi.hosted import files as hosted
from regproxy.formats.pypi.hosted.contents import Contents
from regproxy.formats.pypi.names import PROJECTS_PATH, admits, page_path, told_of
from regproxy.formats.pypi.pages.project import Project
from regproxy.model.access import Action
from regproxy.model.patterns import Patterns
from regproxy.repo.interface import Answer, Body, Missing, Refused, Serving, ServingSeveral, Unavailable, is_hosting
from regproxy.repo.ownership import owned, ranks, to_ask
from regproxy.repo.virtual import Nothing, first
from regproxy.web.request import ProxyRequest

Part = Project | Body
"""What one member has of a project: a remote's is not read yet."""
Names = Sequence[str] | Body
"""The list of what one member has."""
Ask = Callable[[Serving], Awaitable[Answer]]


@frozen(eq=False)
class Asking:
    """It."""

    serving: ServingSeveral
    request: ProxyRequest

    async def page(self, name: str) -> Sequence[tuple[Serving, Part]] | Nothing:
        """What its owners have of a project; the parts are to be read or dropped."""
        told = await self._parts(await self._to_ask(name), name)
        if isinstance(told, Missing | Refused | Unavailable):
            self._ask_who(name, f"{name}/")
        return told

    async def projects(self) -> Sequence[tuple[Serving, Names]] | Nothing:
        """The lists of all members; one that has none has no part in it."""

        async def ask(member: Serving) -> Names | Nothing:
            if not is_hosting(member.repository):
                member.permit(self.request, Action.READ, PROJECTS_PATH)
                return await _theirs(member, PROJECTS_PATH)
            member.permit_somewhere(self.request, Action.READ)
            return await self._contents(member).projects()

        members = self.serving.members(self.request)
        self._check_ready()
        absent = Missing(f"{self.serving.repository.key} has no list of projects")
        return await owned([members], ask, drop, absent, self.serving.clock)

    async def file(self, wanted: address.File) -> tuple[Serving | None, Answer]:
        """A file, or what lies beside it, and who has it."""
        body = self.request.method == b"GET"

        async def ask(member: Serving) -> Answer:
            member.permit(self.request, Action.READ, wanted.path)
            if is_hosting(member.repository):
                return await hosted.find(member.repository, wanted, body=body)
            return await Files(member.repository, Documents(member)).answer(wanted, body=body)

        return await self._first(wanted.name, wanted.path, ask, strict=wanted.digest is None)

    async def release(self, wanted: address.Release, root: str) -> tuple[Serving | None, Answer]:
        """A document of the JSON API; local repositories have none."""

        async def ask(member: Serving) -> Answer:
            member.permit(self.request, Action.READ, wanted.path)
            if is_hosting(member.repository):
                return Missing("a local repository has no such document")
            return await Documents(member).release(wanted.name, wanted.path, root)

        return await self._first(wanted.name, wanted.path, ask, strict=True)

    async def stored(self, wanted: address.Stored) -> tuple[Serving | None, Answer]:
        """A document as an upstream sent it."""

        async def ask(member: Serving) -> Answer:
            member.permit(self.request, Action.READ, wanted.path)
            return Missing("it has none") if is_hosting(member.repository) else await Documents(member).resolve(wanted.path)

        if wanted.path == PROJECTS_PATH:
            return await first(self.serving.members(self.request), ask, Missing("no member has such a document"), strict=True)
        return await self._first(told_of(wanted.path), wanted.path, ask, strict=True)

    async def _to_ask(self, name: str) -> Sequence[Sequence[Serving]]:
        settings = self.serving.repository.settings
        if not _reaches(self.serving, name):
            raise RegproxyError(Kind.DENIED, f"repository {settings.key} excludes {name} by its patterns")
        members = [each for each in self.serving.members(self.request) if is_hosting(each.repository) or _reaches(each, name)]
        owners = self.serving.owners(name)
        if not owners and any(is_hosting(each.repository) for each in members):  # everybody's
            self._check_ready()
            return [[member for rank in ranks(members) for member in rank]]
        asked = await to_ask(members, owners, f"{name}/")
        if not (asked and is_hosting(asked[0][0].repository)):
            self._check_ready()
        return asked

    def _check_ready(self) -> None:
        """``RegproxyError`` if there is a member that has a say in it, and cannot be asked."""
        for key in self.serving.unready:
            raise RegproxyError(Kind.UPSTREAM_DOWN, f"the upstream of {key} is not known yet")

    def _ask_who(self, name: str, path: str) -> None:
        """``RegproxyError`` for who shows no name and may not see a local member, which might have it."""
        for member in self.serving.owners(name):
            self._hidden(member, path, self._absent(name))

    async def _first(self, name: str, path: str, ask: Ask, *, strict: bool) -> tuple[Serving | None, Answer]:
        found, answer = await self._first_of(name, ask, strict=strict)
        if isinstance(answer, Missing | Refused | Unavailable):
            self._ask_who(name, path)
        return found, answer

    async def _first_of(self, name: str, ask: Ask, *, strict: bool) -> tuple[Serving | None, Answer]:
        absent = self._absent(name)
        asked = await self._to_ask(name)
        for rank in asked:
            found, answer = await first(filter(self.serving.shows, rank), ask, absent, strict=strict)
            if rank is asked[-1] or not isinstance(answer, Missing):
                return found, answer
            told = await self._parts([rank], name)
            if isinstance(told, Refused | Unavailable):
                return None, told
            if not isinstance(told, Missing):
                for _, part in told:
                    drop(part)
                break
        return None, absent

    def _absent(self, name: str) -> Missing:
        return Missing(f"{self.serving.repository.key} has no such file of {name}, or none that you may read")

    async def _parts(self, asked: Sequence[Sequence[Serving]], name: str) -> Sequence[tuple[Serving, Part]] | Nothing:
        absent = Missing(f"{self.serving.repository.key} has no project {name}, or none that you may read")

        async def ask(member: Serving) -> Part | Nothing:
            if is_hosting(member.repository):
                return await self._ours(member, name) or self._hidden(member, f"{name}/", absent) or absent
            path = page_path(name)
            return self._hidden(member, path, absent) or await _theirs(member, path, name)

        return await owned(asked, ask, drop, absent, self.serving.clock)

    async def _ours(self, member: Serving, name: str) -> Project | None:
        return await self._contents(member).project(name) if self.serving.shows(member) else None

    def _contents(self, member: Serving) -> Contents:
        return Contents(member.tree, lambda path: member.permits(self.request, Action.READ, path))

    def _hidden(self, member: Serving, path: str, absent: Missing) -> Refused | None:
        """What is said of a member that is not there for who asks; he is not told that there is one."""
        try:
            member.permit(self.request, Action.READ, path)
        except RegproxyError as error:
            if error.kind is not Kind.NOT_FOUND:
                raise
            return Refused(404, absent.reason)
        return None


async def _theirs(member: Serving, path: str, name: str = "") -> Body | Nothing:
    """A document of a remote; one that may not be asked for it has no say in whether it is there."""
    repository = member.repository
    answer = await Documents(member).resolve(path, name)
    if not isinstance(answer, Body) and (repository.key != member.tree.key or repository.settings.offline):
        return Refused(404, f"{member.tree.key} does not hold {name or 'this'}, and its upstream may not be asked")
    return cast(Body | Nothing, answer)  # of a document there is nothing else


def drop(part: object) -> None:
    """Let go of what is not used."""
    if isinstance(part, Body):
        part.readable.release()


def _reaches(serving: Serving, name: str) -> bool:
    """Whether the patterns of a repository let there be any file of a project."""
    settings = serving.repository.settings
    return admits(_patterns(settings.includes_pattern, settings.excludes_pattern), page_path(name))


@lru_cache(maxsize=1024)
def _patterns(includes: str, excludes: str) -> Patterns:
    return Patterns.of(includes, excludes)
