"""Whose a repository of the hub is, in a virtual one: that member answers everything that is asked about it. What two hubs have
under one name is never mixed, neither their branches nor their files.

Rules, beside those of ``repo/virtual.py``:

1. A local member has what has branches there. Behind one that has it no remote is asked, whoever may see it: an upstream must not
   take the place of what is hidden. Names are the same in whatever case: to hubs they are.
2. A remote has what its hub knows. What it holds of a repository is served while the hub is down, or has forgotten it.
3. A hub that shows a repository and keeps its files for others (gated) gives way to one that does not; without one it says so.
4. The choice is remembered for some seconds: a download asks many times.
"""

from collections import OrderedDict
from collections.abc import Sequence

from attrs import define, field

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.huggingface.address import NO_NAMESPACE, AuthCheck, Id, Info
from regproxy.formats.huggingface.documents import is_gated
from regproxy.formats.huggingface.failures import REVISION, explained, is_private, permit_read
from regproxy.formats.huggingface.hub import DEFAULT_BRANCH, NONSENSE
from regproxy.formats.huggingface.local.places import references_place
from regproxy.formats.huggingface.names import document_want, folder_of
from regproxy.formats.huggingface.plan import CODE
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


def has(member: Serving, repo: Id) -> bool:
    """Whether a local member has it."""
    return is_hosting(member.repository) and member.tree.node(references_place(repo)) is not None


def is_owned(serving: ServingSeveral, repo: Id) -> bool:
    """Whether a local member has it that speaks for it alone."""
    return any(has(member, repo) for member in serving.owners(folder_of(repo)))


async def is_owned_in_any_case(serving: ServingSeveral, repo: Id) -> bool:
    """The same, or one of the same name but for its case."""
    for member in serving.owners(folder_of(repo)):
        for namespace in await _alike(member, f"{repo.type.value}/", repo.namespace or NO_NAMESPACE):
            for name in await _alike(member, f"{repo.type.value}/{namespace}/", repo.name):
                if has(member, Id(repo.type, "" if namespace == NO_NAMESPACE else namespace, name)):
                    return True
    return False


async def _alike(member: Serving, folder: str, name: str) -> Sequence[str]:
    """What lies in a folder under that name, in any case."""
    return [child.name for child in await member.tree.children(folder) if child.name.lower() == name.lower()]


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
        if not all(map(is_trusted, members)) and await is_owned_in_any_case(self._serving, repo):
            members = [each for each in members if is_trusted(each)]
        folder = f"{folder_of(repo)}/"
        holding = [each for each in members if has(each, repo) or (not _is_local(each) and await each.tree.folder(folder))]
        absent = Missing(f"there is no {repo.type.value[:-1]} {repo} in {self._serving.repository.key}")
        gated: list[Serving] = []

        async def ask(member: Serving) -> Answer:
            permit_read(member, request, path)
            if _is_local(member):
                return _HAS if member in holding else absent
            answer = await _ask_remote(member, repo, holds=member in holding)
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


async def _ask_remote(member: Serving, repo: Id, *, holds: bool) -> Answer:
    """Whether its hub has it: asked by the document that clients are about to ask for as well."""
    found = await member.repository.resolve(document_want(Info(repo, DEFAULT_BRANCH)))
    if isinstance(found, Body):
        try:
            gated = await member.parse(found, DOCUMENT_LIMIT, is_gated)
        except (ValueError, RecursionError):
            return NONSENSE
        return _GATED if gated and await _is_closed(member, repo) else _HAS
    if holds or (isinstance(found, Missing) and found.kept.first(CODE) == REVISION):
        return _HAS
    if is_private(found):
        return Missing(found.reason)
    return found


async def _is_closed(member: Serving, repo: Id) -> bool:
    """Whether its hub lets us read no file of it."""
    found = await member.repository.resolve(document_want(AuthCheck(repo)))
    if isinstance(found, Body):
        found.readable.release()
    return isinstance(found, Refused)
