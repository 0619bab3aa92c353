"""Whose a name is: one of a local member is its own, in whatever case a client, or the hub of a remote, writes it.

A hub may know a repository by several names: it answers for an old one by a redirect to the one that it has now, and says in the
answer which that is. What it has under a name that is ours is not served under another one either.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import unquote

import msgspec
from attrs import define, field, frozen

from regproxy.formats.huggingface.address import NO_NAMESPACE, AddressError, Id, parse_address, parse_id
from regproxy.formats.huggingface.local.places import references_place
from regproxy.formats.huggingface.names import folder_of
from regproxy.formats.huggingface.plan import PLACE
from regproxy.model.headers import Headers
from regproxy.repo.interface import Serving, ServingSeveral, is_hosting


def has(member: Serving, repo: Id) -> bool:
    """Whether a local member has it."""
    return is_hosting(member.repository) and member.tree.node(references_place(repo)) is not None


def folded(repo: Id) -> Id:
    """The same for all that differ in case only."""
    return Id(repo.type, repo.namespace.lower(), repo.name.lower())


@define(eq=False)
class Owning:
    """Finds owned names for one request; a folder of many of them is listed once."""

    _serving: ServingSeveral
    _listed: dict[tuple[str, str], Mapping[str, Sequence[str]]] = field(factory=dict, init=False)

    async def is_owned(self, repo: Id) -> bool:
        """Whether a local member has it, or one of the same name but for its case, that speaks for it alone."""
        for member in self._serving.owners(folder_of(repo)):
            for namespace in await self._alike(member, f"{repo.type.value}/", repo.namespace or NO_NAMESPACE):
                for name in await self._alike(member, f"{repo.type.value}/{namespace}/", repo.name):
                    if has(member, Id(repo.type, "" if namespace == NO_NAMESPACE else namespace, name)):
                        return True
        return False

    async def _alike(self, member: Serving, folder: str, name: str) -> Sequence[str]:
        """What lies in a folder under that name, in any case."""
        key = member.repository.key, folder
        if key not in self._listed:
            found: dict[str, list[str]] = {}
            for child in await member.tree.children(folder):
                found.setdefault(child.name.lower(), []).append(child.name)
            self._listed[key] = found
        return self._listed[key].get(name.lower(), ())


class _About(msgspec.Struct):
    id: str = ""
    gated: str | bool = False


@frozen
class About:
    """What a hub's document says of a repository.

    Attributes:
        names: what the hub calls it itself, as far as that are names of repositories.
        is_gated: whether its files are for those only who have asked for them.
    """

    names: Sequence[Id]
    is_gated: bool


def read_about(asked: Id, document: bytes, kept: Headers) -> About:
    """Read one; ``ValueError`` for what is none."""
    about = msgspec.json.decode(document, type=_About)
    said, led = _named(asked, about.id), _led_to(kept.first(PLACE) or "")
    return About([each for each in (said, led) if each is not None], about.gated is not False)


def _named(asked: Id, name: str) -> Id | None:
    try:
        return parse_id(asked.type, name.split("/"))
    except AddressError:
        return None


def _led_to(path: str) -> Id | None:
    """Whose document an address of the API is of."""
    segments = unquote(path).rpartition("/api/")[2].split("/")
    try:
        return getattr(parse_address(("api", *segments)), "repo", None)
    except AddressError:
        return None
