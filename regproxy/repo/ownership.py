"""Whose a name is, in a virtual repository of packages, images or models: never that of whoever has the highest version of it.

Rules:

1. Members have ranks: local ones with ``priorityResolution``, remote ones with it, other local ones, other remote ones.
2. A name belongs to the first rank in which a member has it. The ranks behind are not asked: an upstream does not even hear of a
   name that is ours.
3. A local member has a name if there is a folder of it, whoever may read what is in it, and be the member blacked out.
4. Members of one rank are equals: they are asked at the same time, and what they have is shown as one.
5. On to the next rank only if all of this one say that they don't have it. One that cannot be asked, or not by who asks, ends the
   search: another one's package of the same name is no substitute. Of equals, what cannot be asked is an outage, whatever
   the others have: a list without its newest entries is another list. What is refused is not there.
"""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from twisted.internet.interfaces import IReactorTime

from regproxy.errors import RegproxyError
from regproxy.repo.interface import Missing, Refused, Serving, Unavailable, is_hosting
from regproxy.repo.virtual import Nothing, together

M = TypeVar("M", bound=Serving)
P = TypeVar("P")


def ranks(members: Iterable[M]) -> Sequence[Sequence[M]]:
    """Members by rank, in their order; no rank is empty."""
    found: dict[tuple[bool, bool], list[M]] = {}
    for member in members:
        settings = member.repository.settings
        found.setdefault((not settings.priority_resolution, settings.rclass != "local"), []).append(member)
    return [found[rank] for rank in sorted(found)]


async def to_ask(members: Iterable[M], owners: Iterable[M], folder: str) -> Sequence[Sequence[M]]:
    """The ranks to be asked, one after the other, for the name whose nodes lie below ``folder``; of the local ones, which
    ``owners`` are, those that have it.
    """
    found: list[Sequence[M]] = []
    for rank in ranks([*owners, *(member for member in members if not is_hosting(member.repository))]):
        if not is_hosting(rank[0].repository):
            found.append(rank)
        elif having := [member for member in rank if await member.tree.folder(folder) is not None]:
            return [*found, having]
    return found


async def owned(
    asked: Sequence[Sequence[M]],
    ask: Callable[[M], Coroutine[Any, Any, P | Nothing]],
    drop: Callable[[object], None],
    absent: Missing,
    clock: IReactorTime,
) -> Sequence[tuple[M, P]] | Nothing:
    """What the members of the first rank that has anything have; ``RegproxyError`` to log in first. ``drop`` lets a part go."""
    for rank in asked:
        heard = await together(rank, ask, clock, drop)
        parts: list[tuple[M, P]] = []
        for member, each in zip(rank, heard, strict=True):
            if not isinstance(each, Missing | Refused | Unavailable | RegproxyError):
                parts.append((member, each))
        down = next((each for each in heard if isinstance(each, Unavailable)), None)
        if parts and down is None:
            return parts
        for _, part in parts:
            drop(part)
        ended = down or _ended(heard)
        if ended is not None:
            return ended
    return absent


def _ended(heard: Sequence[object]) -> Refused | None:
    """Why the search ends where nobody has it; ``RegproxyError`` to log in first."""
    for each in heard:
        if isinstance(each, RegproxyError):
            raise each
    return next((each for each in heard if isinstance(each, Refused)), None)
