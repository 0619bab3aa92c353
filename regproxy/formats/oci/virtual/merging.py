"""Lists of a virtual repository: those of all members as one, each entry once, in pages of our own.

Of an image that a local member has, the others are not asked (``finding``). A member that cannot be asked leaves a list that
says so, in a ``Warning``; an empty list, or none, is said only when all have been asked.
"""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from attrs import evolve, frozen

from regproxy.formats.oci.address import Manifest, Referrers, Tags
from regproxy.formats.oci.contents import Contents, tag_of
from regproxy.formats.oci.failures import error_text, failure
from regproxy.formats.oci.lists import images_text, page_of, referrers_in, referrers_text, tags_in, tags_text_of
from regproxy.formats.oci.names import artifact_type, fallback_tag, want_for
from regproxy.formats.oci.registry import STALE, Asked
from regproxy.formats.oci.virtual.finding import Owned
from regproxy.formats.oci.virtual.pages import Listed, pages
from regproxy.model.access import Action
from regproxy.model.want import DOCUMENT_LIMIT
from regproxy.repo.interface import Body, Missing, Origin, Refused, Serving, ServingSeveral, Text, Unavailable, is_hosting
from regproxy.repo.virtual import Heard, every, is_trusted
from regproxy.web.request import ProxyRequest

T = TypeVar("T")
Said = Listed[T] | Missing | Refused | Unavailable
Ask = Callable[[Serving], Coroutine[Any, Any, Said[T]]]

PARTIAL = '299 - "some members of this virtual repository cannot be asked now: there may be more"'


@frozen
class Merged:
    """The lists of one virtual repository, for one who asks."""

    _serving: ServingSeveral
    _request: ProxyRequest

    async def tags(self, address: Tags, asked: Asked) -> Text:
        """Those of an image, sorted."""
        heard = await self._heard(address, lambda member: self._tags(member, address))
        if isinstance(heard.told, Unavailable) and not heard.parts:
            return failure(heard.told)
        if not heard.parts:
            return error_text(404, "NAME_UNKNOWN", heard.told.reason)
        names = {tag for _, listed in heard.parts for tag in listed.entries}
        return _warned(tags_text_of(address.name, page_of(names, asked.query), asked.path), heard)

    async def referrers(self, address: Referrers, asked: Asked) -> Text:
        """What refers to a manifest, in any member."""
        heard = await self._heard(address, lambda member: self._referrers(member, address))
        if isinstance(heard.told, Unavailable) and not heard.parts:
            return failure(heard.told)
        found: dict[str, dict[str, Any]] = {}
        for each in (each for _, listed in heard.parts for each in listed.entries):
            found.setdefault(str(each.get("digest")), each)
        return _warned(referrers_text({"manifests": list(found.values())}, artifact_type(asked.query)), heard)

    async def images(self, asked: Asked) -> Text:
        """The names of images that members hold; upstreams are not asked for such a list."""
        names = set[str]()
        for member in self._serving.members(self._request):
            found = await Contents(member).images()
            names |= {name for name in found if member.permits(self._request, Action.READ, f"{name}/")}
        return images_text(page_of(names, asked.query), asked.path)

    async def _heard(self, address: Tags | Referrers, ask: "Ask[T]") -> "Heard[Serving, Listed[T]]":
        members = self._serving.members(self._request, want_for(address, "").path)
        if await Owned(self._serving, address.name)():
            members = [each for each in members if is_trusted(each)]

        async def permitted(member: Serving) -> Said[T]:
            path = want_for(address, member.repository.settings.url).path
            member.permit(self._request, Action.READ, path)
            return await ask(member)

        absent = Missing(f"no member of {self._serving.repository.key} has an image {address.name}")
        return await every(members, permitted, absent, self._serving.clock)

    async def _tags(self, member: Serving, address: Tags) -> Said[str]:
        if not is_hosting(member.repository):
            return await pages(member, address, tags_in)
        nodes = await Contents(member).tags(address.name)
        if nodes is None:
            return Missing(f"{member.repository.key} has no image {address.name}")
        seen = (tag_of(node, address.name) for node in nodes if member.permits(self._request, Action.READ, node.path))
        return Listed([tag for tag in seen if tag is not None])

    async def _referrers(self, member: Serving, address: Referrers) -> Said[dict[str, Any]]:
        if is_hosting(member.repository):
            found: Said[dict[str, Any]] = Listed(await Contents(member).referrers(address.name, address.digest))
        else:
            found = await pages(member, address, referrers_in)
            if isinstance(found, Missing):
                found = await self._fallback(member, address)
        has_none = isinstance(found, Listed) and not found.entries and found.is_whole
        return Missing(f"nothing in {member.repository.key} refers to it") if has_none else found

    async def _fallback(self, member: Serving, address: Referrers) -> Said[dict[str, Any]]:
        """What is behind the tag that stands in for the API at some registries."""
        tag = Manifest(address.name, fallback_tag(address.digest))
        found = await member.repository.resolve(want_for(tag, member.repository.settings.url))
        if isinstance(found, Missing | Refused | Unavailable):
            return found
        assert isinstance(found, Body)
        try:
            return Listed(await member.parse(found, DOCUMENT_LIMIT, referrers_in), found.origin is Origin.STALE)
        except (ValueError, RecursionError):
            return Unavailable(502, f"the upstream of {member.repository.key} sent something else than a list")


def _warned(text: Text, heard: "Heard[Serving, Listed[T]]") -> Text:
    """Say of a list what it is not."""
    listed = [part for _, part in heard.parts]
    is_stale = any(each.is_stale for each in listed)
    origin = Origin.STALE if is_stale else text.origin
    if heard.silent or not all(each.is_whole for each in listed):
        return evolve(text, headers=text.headers.plus(("warning", PARTIAL)), origin=origin)
    return evolve(text, headers=text.headers.plus(("warning", STALE)), origin=origin) if is_stale else text
