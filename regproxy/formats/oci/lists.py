"""Lists as we serve them: tags and referrers, from what upstream sent. Pure.

Upstream's list is stored as it came; what differs for a client (the name that it asked by, its filter, the address of the next
page) is put in when it is served. A ``ValueError`` says that upstream sent something else than such a list.
"""

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from attrs import frozen

from regproxy.formats.oci.names import OURS, canonical
from regproxy.formats.oci.plan import INDEX
from regproxy.model.digest import Digest
from regproxy.model.headers import Headers
from regproxy.repo.interface import Text

NO_HEADERS = Headers()

_LINK = re.compile(r"<([^<>]*)>([^<]*)")
_NEXT = re.compile(r';\s*rel="?next"?', re.IGNORECASE)


def tags_text(document: bytes, name: str, link: Headers) -> Text:
    """One page of the tag list under the name that the client asked by."""
    return _text({"name": name, "tags": tags_in(document)}, "application/json", link)


def tags_in(document: bytes) -> list[str]:
    """The tags of one page."""
    tags = _read_object(document).get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ValueError("its tags are no list of names")
    return tags


@frozen
class Page:
    """Some names of a list, and the query that asks for the next ones."""

    names: list[str]
    following: str | None

    def link(self, path: str) -> Headers:
        """What says where the next page is."""
        return Headers() if self.following is None else Headers((("link", f'<{path}?{self.following}>; rel="next"'),))


def page_of(names: Iterable[str], query: str) -> Page:
    """The page of our own list that ``n`` and ``last`` ask for; ``AddressError`` if they make no sense."""
    asked = dict(parse_qsl(canonical(query)))
    found = sorted(name for name in names if name > asked.get("last", ""))
    most = int(asked["n"]) if "n" in asked else len(found)
    if len(found) <= most or not most:
        return Page(found[:most], None)
    return Page(found[:most], urlencode({"n": most, "last": found[most - 1]}))


def tags_text_of(name: str, page: Page, path: str) -> Text:
    """A page of our own tags."""
    return _text({"name": name, "tags": page.names}, "application/json", page.link(path))


def images_text(page: Page, path: str) -> Text:
    """A page of our own images."""
    return _text({"repositories": page.names}, "application/json", page.link(path))


def referrers_text(document: bytes | dict[str, Any] | None, artifact_type: str | None, link: Headers = NO_HEADERS) -> Text:
    """One page of referrers, filtered if that was asked for; None, nothing refers to it, is an empty index."""
    found = _read_object(document) if isinstance(document, bytes) else document or {"manifests": []}
    manifests = _descriptors(found)
    if artifact_type is not None:
        manifests = [each for each in manifests if each.get("artifactType") == artifact_type]
        link = link.plus(("oci-filters-applied", "artifactType"))
    return _text({**found, "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}, INDEX, link)


def referrers_in(document: bytes) -> list[dict[str, Any]]:
    """The descriptors of one page."""
    return _descriptors(_read_object(document))


def following(link: str | None) -> str:
    """The query of upstream's next page, as a want for it has it; "" if there is none."""
    target = _next_of(link or "")
    return "" if target is None else canonical(urlsplit(target).query)


def link_header(upstream: str | None, path: str, asked: str) -> Headers:
    """Upstream's link to the next page, pointing to our own path; parameters of ours that the client sent stay in it."""
    from_upstream = following(upstream)
    if not from_upstream:
        return Headers()
    kept = urlencode([pair for pair in _pairs(asked) if pair[0] in OURS])
    query = "&".join(part for part in (from_upstream, kept) if part)
    return Headers((("link", f'<{path}?{query}>; rel="next"'),))


def _next_of(link: str) -> str | None:
    return next((target for target, parameters in _LINK.findall(link) if _NEXT.search(parameters)), None)


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query)


def _descriptors(document: dict[str, Any]) -> list[dict[str, Any]]:
    found = document.get("manifests") or []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ValueError("its manifests are no list of descriptors")
    return found


def _read_object(document: bytes) -> dict[str, Any]:
    found = json.loads(document)
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - a fault of the document, not of the caller
    return found


def _text(content: object, media_type: str, headers: Headers) -> Text:
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    return Text(body, media_type, etag=f'"{Digest.of(body)}"', headers=headers)
