"""All pages of a member's list, or what stands in their way."""

from typing import Any

import pytest
import pytest_twisted

from regproxy.formats.oci.address import Tags
from regproxy.formats.oci.lists import tags_in
from regproxy.formats.oci.virtual.pages import MOST, Listed, pages
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.repo.interface import Missing, Origin, Refused, Unavailable
from tests.formats.oci.scene import registry


def page(tags: str, link: str = "") -> tuple[Head, bytes]:
    """A page, with where upstream says that the next one is."""
    kept = Headers.of(link=f'<{link}>; rel="next"') if link else Headers()
    return Head(kept=kept), b'{"tags":["%s"]}' % tags.encode()


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"all": page("a")}, Listed(["a"])),
        ({"all": page("b", "/v2/app/tags/list?last=b&n=1"), "last=b&n=1": page("a")}, Listed(["b", "a"])),
        ({}, Missing("upstream does not have it")),
        ({"all": page("b", "/x?last=b"), "last=b": Unavailable(503, "down")}, Unavailable(503, "down")),
        ({"all": Refused(403, "no")}, Refused(403, "no")),
        ({"all": (Head(), b"<html>")}, Unavailable(502, "the upstream of hub sent something else than a list")),
        ({"all": page("b", "/x?n=many")}, Unavailable(502, "the upstream of hub sent something else than a list")),
        ({"all": page("a", "/x?last=a"), "last=a": page("a", "/x?last=a")}, Listed(["a"] * MOST, is_whole=False)),
    ],
)
@pytest_twisted.ensureDeferred
async def test_pages(table: dict[str, Any], expected: object) -> None:
    """Each is followed once; one that is missing makes it no list."""
    member = registry(table={f"app/_tags/{name}.json": answer for name, answer in table.items()})
    assert expected == await pages(member, Tags("app"), tags_in)


@pytest_twisted.ensureDeferred
async def test_an_old_one() -> None:
    """Is said to be old."""
    member = registry(table={"app/_tags/all.json": page("a")})
    member.repository.origin = Origin.STALE
    assert Listed(["a"], is_stale=True) == await pages(member, Tags("app"), tags_in)
