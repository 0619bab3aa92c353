"""A virtual repository: several that are shown as one. It has nothing of its own, its members do all the work.

Rules:

1. Members with ``priorityResolution`` come first, then those that hold what is asked for, then local ones, then remote ones; each
   time in the order of the configuration.
2. Whoever says that he does not have it leaves the question to the next. So does one that cannot be asked, unless ``hardFail``
   says otherwise; a local one that cannot read what it has is the last.
3. If nobody has it, what stood in the way is the answer: "not there" is said only when all have said so.
4. Of a name that a local one has, others with ``priorityResolution`` may speak, and no more: whose a name is, a format knows.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from regproxy.errors import Kind, RegproxyError
from regproxy.model.deposit import Child
from regproxy.model.digest import Digest
from regproxy.model.settings import RepositorySettings
from regproxy.model.want import Want
from regproxy.repo.interface import Answer, Missing, Refused, Serving, Unavailable, is_hosting
from regproxy.repo.outcome import failure

M = TypeVar("M", bound=Serving)
T = TypeVar("T")

BUDGET = 20.0
"""Seconds for what is put together of what all members say; who is slower counts as one that cannot be asked."""

_ABSENT = frozenset({Kind.NOT_FOUND})
_UPSTREAM = frozenset({Kind.UPSTREAM_DOWN, Kind.UPSTREAM_SLOW, Kind.UPSTREAM_BUSY, Kind.UPSTREAM_BAD, Kind.INTEGRITY})


@frozen(eq=False)
class Virtual:
    """One virtual repository, for those who want to know its name and configuration: what it shows is asked of its members."""

    settings: RepositorySettings

    @property
    def key(self) -> str:
        """Its name in addresses."""
        return self.settings.key

    def has(self, path: str, digest: Digest | None = None) -> bool:  # noqa: ARG002 - it holds nothing
        """Nothing is held here."""
        return False

    async def resolve(self, want: Want) -> Answer:  # noqa: ARG002 - as above
        """Nothing is here: whose rights count is known where the members are asked."""
        return Missing(f"{self.key} has nothing that its members do not have")


def flattened(key: str, virtuals: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The members of a virtual repository, those of virtual ones in their place; each once, and none for ever."""
    found: dict[str, None] = {}
    seen = {key}

    def add(names: Sequence[str]) -> None:
        for name in names:
            if name not in virtuals:
                found.setdefault(name)
            elif name not in seen:
                seen.add(name)
                add(virtuals[name])

    add(virtuals.get(key, ()))
    return list(found)


def in_order(members: Iterable[M], holds: Callable[[M], bool]) -> Sequence[M]:
    """Whom to ask first."""

    def rank(member: M) -> tuple[bool, bool, bool]:
        settings = member.repository.settings
        return not settings.priority_resolution, not holds(member), settings.rclass != "local"

    return sorted(members, key=rank)


def is_trusted(member: Serving) -> bool:
    """Whether it may speak of a name that a local repository has."""
    return is_hosting(member.repository) or member.repository.settings.priority_resolution


async def first(
    members: Iterable[M], ask: Callable[[M], Awaitable[Answer]], absent: Answer, *, strict: bool = False
) -> tuple[M | None, Answer]:
    """Ask one after the other until one has it; if none has, what is to be said of that. ``RegproxyError`` to log in first.

    ``strict``: one that cannot be asked ends the search, whatever ``hardFail`` says; another one's answer is no substitute.
    """
    told, login = absent, None
    for member in members:
        answer: Answer
        try:
            answer = await ask(member)
        except RegproxyError as error:
            if error.kind is Kind.UNAUTHENTICATED:
                login = login or error
                continue
            answer = told_by(error)
        if not isinstance(answer, Missing | Refused | Unavailable):
            return member, answer
        if isinstance(answer, Unavailable) and (strict or _ends(member)):
            return member, answer
        if _weight(answer) > _weight(told):
            told = answer
    if login is not None:
        raise login
    return None, told


@frozen
class Heard(Generic[M, T]):
    """What all members said.

    Attributes:
        parts: of those that have it, in the order of the members.
        told: what is to be said if there are none.
        silent: the keys of those that could not be asked: the parts are not all that there is.
    """

    parts: Sequence[tuple[M, T]]
    told: "Nothing"
    silent: Sequence[str] = ()


Nothing = Missing | Refused | Unavailable


async def every(
    members: Sequence[M], ask: Callable[[M], Coroutine[Any, Any, T | Nothing]], absent: Missing, clock: IReactorTime
) -> Heard[M, T]:
    """Ask all at once and wait for all, within the budget; ``RegproxyError`` to log in, if nobody has it.

    What ``ask`` returns needs no release.
    """
    heard: list[tuple[M, T]] = []
    told: Nothing = absent
    login, silent = None, []
    for member, answer in zip(members, await together(members, ask, clock), strict=True):
        if isinstance(answer, RegproxyError):
            login = login or answer
            continue
        if isinstance(answer, Unavailable):
            if _ends(member):
                return Heard((), answer, (member.repository.key,))
            silent.append(member.repository.key)
        if not isinstance(answer, Missing | Refused | Unavailable):
            heard.append((member, answer))
        elif _weight(answer) > _weight(told):
            told = answer
    if login is not None and not heard:
        raise login
    return Heard(heard, told, silent)


async def together(
    members: Iterable[M],
    ask: Callable[[M], Coroutine[Any, Any, T | Nothing]],
    clock: IReactorTime,
    drop: Callable[[object], None] = lambda _: None,
) -> Sequence[T | Nothing | RegproxyError]:
    """What each says that is asked at the same time, within the budget; an error is one that has him log in.

    What nobody foresaw is raised. Then, and if nobody waits any more, ``drop`` lets go of what has come.
    """
    asked = [Deferred.fromCoroutine(_answer(ask, member, clock)) for member in members]
    results = await DeferredList(asked, consumeErrors=True)
    failures = [result for good, result in results if not good]
    if failures:
        for good, result in results:
            if good:
                drop(result)
        cast(Failure, failures[0]).raiseException()
    return [result for _, result in results]


async def _answer(
    ask: Callable[[M], Coroutine[Any, Any, T | Nothing]], member: M, clock: IReactorTime
) -> T | Nothing | RegproxyError:
    try:
        return await Deferred.fromCoroutine(ask(member)).addTimeout(BUDGET, clock)
    except DeferredTimeout:
        return Unavailable(504, f"{member.repository.key} is slow")
    except RegproxyError as error:
        return error if error.kind is Kind.UNAUTHENTICATED else told_by(error)


def _ends(member: Serving) -> bool:
    """Whether its outage is the answer, whatever others have."""
    return member.repository.settings.hard_fail or is_hosting(member.repository)


def _weight(answer: Answer) -> int:
    match answer:
        case Unavailable():
            return 2
        case Refused():
            return 1
    return 0


def told_by(error: RegproxyError) -> Nothing:
    """What a member says by raising; what is wrong with the question is so for all of them."""
    if error.kind in _ABSENT:
        return Missing(error.text)
    if error.kind is Kind.DENIED:
        return Refused(403, error.text)
    if error.kind in _UPSTREAM:
        return failure(error)
    raise error


def united(folders: Iterable[Sequence[Child]]) -> Sequence[Child]:
    """What lies in a folder of several repositories: of one name the first, by name."""
    found: dict[tuple[str, bool], Child] = {}
    for children in folders:
        for child in children:
            found.setdefault((child.name, child.node is None), child)
    return [found[key] for key in sorted(found)]
