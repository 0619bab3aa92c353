"""Whose a repository of the hub is, in a virtual one: that member answers everything that is asked about it. What two hubs have
under one name is never mixed, neither their branches nor their files.

Rules, beside those of ``repo/virtual.py``:

1. A local member has what has branches there. Behind one that has it no remote is asked, whoever may see it: an upstream must not
   take the place of what is hidden. Nor is what a hub has under another name, and calls by that one (``owning.py``).
2. A remote has what its hub knows. What it holds of a repository is served while the hub is down, or has forgotten it.
3. A hub that shows a repository and keeps its files for others (gated) gives way to one that does not; without one it says so.
4. The choice is remembered for some seconds: a download asks many times.
"""

from collections import OrderedDict
from collections.abc import Sequence

from attrs import define, field, frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.huggingface.address import AuthCheck, Id, Info
from regproxy.formats.huggingface.failures import REVISION, explained, is_private, permit_read
from regproxy.formats.huggingface.hub import DEFAULT_BRANCH, NONSENSE
from regproxy.formats.huggingface.names import document_want, folder_of
from regproxy.formats.huggingface.plan import CODE
from regproxy.formats.huggingface.virtual.owning import Owning, has, read_about
from regproxy.model.access import Action
from regproxy.model.want import DOCUMENT_LIMIT
from regproxy.repo.interface import Answer, Body, Missing, Refused, Serving, ServingSeveral, Text, is_hosting
from regproxy.repo.virtual import first, in_order, is_trusted
from regproxy.web.request import ProxyRequest

SECONDS = 10.0
REMEMBERED = 10_000

_HAS = Text(b"", "text/plain")
"""The answer of a member that has it."""
_GATED = Refused(403, "its files are for others")

_Question = tuple[Id, tuple[str, ...], frozenset[str]]


@define(eq=False)
class Choosing:
    """Chooses among the members of one virtual repository."""

    _serving: ServingSeveral
    _chosen: OrderedDict[_Question, tuple[str, float]] = field(factory=OrderedDict, init=False)

    async def choose(self, request: ProxyRequest, repo: Id, path: str) -> Serving | Answer:
        """The member that has a repository, for one who may read ``path`` there; or why there is none."""
        members = self._serving.members(request)
        visible = tuple(each.repository.key for each in members if each.permits(request, Action.READ, path))
        question = repo, visible, frozenset(each.repository.key for each in members if has(each, repo))
        key, until = self._chosen.get(question, ("", 0.0))
        if until > request.began:
            return next(each for each in members if each.repository.key == key)
        found = await self._ask(request, repo, path, members)
        if not isinstance(found, Answer):
            self._remember(question, found.repository.key, request.began + SECONDS)
        return found

    def _remember(self, question: _Question, key: str, until: float) -> None:
        self._chosen.pop(question, None)
        self._chosen[question] = key, until
        if len(self._chosen) > REMEMBERED:
            self._chosen.popitem(last=False)

    async def _ask(self, request: ProxyRequest, repo: Id, path: str, members: Sequence[Serving]) -> Serving | Answer:
        owning = Owning(self._serving)
        if not all(map(is_trusted, members)) and await owning.is_owned(repo):
            members = [each for each in members if is_trusted(each)]
        folder = f"{folder_of(repo)}/"
        holding = [each for each in members if has(each, repo) or (not _is_local(each) and await each.tree.folder(folder))]
        absent = Missing(f"there is no {repo.type.value[:-1]} {repo} in {self._serving.repository.key}")
        gated: list[Serving] = []

        async def ask(member: Serving) -> Answer:
            permit_read(member, request, path)
            if _is_local(member):
                return _HAS if member in holding else absent
            answer = await _Remote(member, repo, owning).ask(holds=member in holding)
            if answer is _GATED:
                gated.append(member)
            return answer

        try:
            found, answer = await first(in_order(members, lambda each: each in holding), ask, absent)
        except RegproxyError as error:
            if error.kind is not Kind.UNAUTHENTICATED or not gated:
                raise
            return gated[0]
        if found is not None and answer is _HAS:
            return found
        return gated[0] if isinstance(answer, Refused) and gated else explained(answer, Info(repo))


def _is_local(member: Serving) -> bool:
    return is_hosting(member.repository)


@frozen
class _Remote:
    """One that is asked whether its hub has a repository."""

    _member: Serving
    _repo: Id
    _owning: Owning

    async def ask(self, *, holds: bool) -> Answer:
        """Ask by the document that clients are about to ask for as well; where there is no such branch, by the other one."""
        found = await self._resolve(Info(self._repo, DEFAULT_BRANCH))
        if _has_no_branch(found):
            other = await self._resolve(Info(self._repo, ""))
            found = other if isinstance(other, Body) else found
        if isinstance(found, Body):
            return await self._read(found)
        if holds or _has_no_branch(found):
            return _HAS
        return Missing(found.reason) if is_private(found) else found

    async def _read(self, found: Body) -> Answer:
        kept = found.head.kept
        try:
            about = await self._member.parse(found, DOCUMENT_LIMIT, lambda data: read_about(self._repo, data, kept))
        except (ValueError, RecursionError):
            return NONSENSE
        if not is_trusted(self._member):
            for name in about.names:
                if name != self._repo and await self._owning.is_owned(name):
                    return Missing(f"{self._member.repository.key} has it under another name")  # whose, is not for everybody
        return _GATED if about.is_gated and await self._is_closed() else _HAS

    async def _is_closed(self) -> bool:
        """Whether its hub lets us read no file of it."""
        found = await self._resolve(AuthCheck(self._repo))
        if isinstance(found, Body):
            found.readable.release()
        return isinstance(found, Refused)

    async def _resolve(self, address: Info | AuthCheck) -> Answer:
        return await self._member.repository.resolve(document_want(address))


def _has_no_branch(answer: Answer) -> bool:
    return isinstance(answer, Missing) and answer.kept.first(CODE) == REVISION
