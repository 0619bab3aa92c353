"""All pages of a list of one remote member: what is merged and paged anew has to be there as a whole."""

from collections.abc import Callable
from typing import Generic, TypeVar

from attrs import frozen

from regproxy.formats.oci.address import AddressError, Referrers, Tags
from regproxy.formats.oci.lists import following
from regproxy.formats.oci.names import want_for
from regproxy.model.want import DOCUMENT_LIMIT
from regproxy.repo.interface import Body, Missing, Origin, Refused, Serving, Unavailable

T = TypeVar("T")

MOST = 100
"""Pages that are followed; a list that goes on is one of which a part is shown."""


@frozen
class Listed(Generic[T]):
    """A list, or a part of it; old if upstream could not be asked."""

    entries: list[T]
    is_stale: bool = False
    is_whole: bool = True


async def pages(
    member: Serving, address: Tags | Referrers, read: Callable[[bytes], list[T]]
) -> Listed[T] | Missing | Refused | Unavailable:
    """Follow them from the first one on; what is said in place of one of them stands for all."""
    found: list[T] = []
    is_stale, query = False, ""
    for _ in range(MOST):
        page = await member.repository.resolve(want_for(address, member.repository.settings.url, query))
        if isinstance(page, Missing | Refused | Unavailable):
            return page
        assert isinstance(page, Body)
        is_stale = is_stale or page.origin is Origin.STALE
        link = page.head.kept.first("link")
        try:
            found += await member.parse(page, DOCUMENT_LIMIT, read)
            query = following(link)
        except (ValueError, RecursionError, AddressError):
            return Unavailable(502, f"the upstream of {member.repository.key} sent something else than a list")
        if not query:
            return Listed(found, is_stale)
    return Listed(found, is_stale, is_whole=False)
