"""One repository as a registry: address → answer. Thin: names, plan and lists are pure, the repository does the rest."""

from functools import lru_cache

from attrs import evolve, frozen

from regproxy.formats.oci.address import REMEMBERED, Address, Begun, Images, Layer, Manifest, Ping, Referrers, Tags, Uploads
from regproxy.formats.oci.failures import API_VERSION, error_text, explained
from regproxy.formats.oci.lists import link_header, referrers_text, tags_text
from regproxy.formats.oci.names import artifact_type, fallback_tag, want_for
from regproxy.formats.oci.plan import DIGEST_HEADER, content_digest
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.model.want import DOCUMENT_LIMIT, Shape
from regproxy.repo.interface import Answer, Body, Described, Missing, Origin, Serving, Text, Unavailable

STALE = '299 - "the registry behind this proxy cannot be asked now: this is what it said before"'


@frozen
class Asked:
    """One request, as far as it matters here.

    Attributes:
        address: what is asked for.
        path: of a list, by which external path; its next page lies there too.
        body: False for HEAD.
        query: as it was sent.
    """

    address: Address
    path: str
    body: bool = True
    query: str = ""


def ping() -> Text:
    """Say that this is a registry, and that nobody needs to log in."""
    return Text(b"{}", "application/json", headers=Headers((API_VERSION,)))


@frozen
class Registry:
    """Answers for one repository."""

    _serving: Serving

    async def answer(self, asked: Asked) -> Answer:
        """Find what was asked for."""
        match asked.address:
            case Ping():
                return ping()
            case Manifest() | Layer():
                found = await artifact(self._serving, asked.address, body=asked.body)
            case Tags():
                found = await self._tags(asked.address, asked)
            case Referrers():
                found = await self._referrers(asked.address, asked)
            case Begun():
                return error_text(404, "BLOB_UPLOAD_UNKNOWN", "no upload is under way here")
            case Images():
                return error_text(404, "UNSUPPORTED", "the catalog of a remote repository cannot be listed")
            case Uploads():
                return error_text(405, "UNSUPPORTED", "a remote repository is read only")
        return explained(found, asked.address)

    async def _tags(self, address: Tags, asked: Asked) -> Answer:
        found = await self._serving.repository.resolve(want_for(address, self._serving.repository.settings.url, asked.query))
        if not isinstance(found, Body):
            return found
        link = link_header(found.head.kept.first("link"), asked.path, asked.query)
        try:
            tags = await self._serving.parse(found, DOCUMENT_LIMIT, lambda data: tags_text(data, address.name, link))
            return _of(tags, found)
        except (ValueError, RecursionError):
            return Unavailable(502, "upstream sent something else than a list of tags")

    async def _referrers(self, address: Referrers, asked: Asked) -> Answer:
        """What the API of upstream says, or what its fallback tag says where there is no such API: an empty list at the least."""
        url = self._serving.repository.settings.url
        found = await self._serving.repository.resolve(want_for(address, url, asked.query))
        if isinstance(found, Missing):
            found = await self._serving.repository.resolve(want_for(Manifest(address.name, fallback_tag(address.digest)), url))
        wanted = artifact_type(asked.query)
        if isinstance(found, Missing):
            return referrers_text(None, wanted)
        if not isinstance(found, Body):
            return found
        link = link_header(found.head.kept.first("link"), asked.path, asked.query)
        try:
            listed = await self._serving.parse(found, DOCUMENT_LIMIT, lambda data: referrers_text(data, wanted, link))
            return _of(listed, found)
        except (ValueError, RecursionError):
            return Unavailable(502, "upstream sent something else than a list of referrers")


async def artifact(serving: Serving, address: Manifest | Layer, *, body: bool) -> Answer:
    """A manifest or a blob, with what clients of a registry look for."""
    want = want_for(address, serving.repository.settings.url)
    if want.shape is Shape.BLOB and not body:
        want = evolve(want, body=False)
    found = await serving.repository.resolve(want)
    return found.showing(_shown(found.head, found.origin)) if isinstance(found, (Body, Described)) else found


@lru_cache(maxsize=REMEMBERED)
def _shown(head: Head, origin: Origin) -> Head:
    """The head with what clients of a registry look for: the digest, and a word when upstream could not be asked."""
    digest = content_digest(head)
    kept = head.kept.plus((DIGEST_HEADER, str(digest))) if digest else head.kept
    if origin is Origin.STALE:
        kept = kept.plus(("warning", STALE))
    return evolve(head, kept=kept, etag=f'"{digest}"' if digest else head.etag)


def _of(text: Text, document: Body) -> Text:
    """A rendered list comes from where its document came from."""
    stale = document.origin is Origin.STALE
    headers = text.headers.plus(("warning", STALE)) if stale else text.headers
    return evolve(text, headers=headers, origin=document.origin, age=document.age)
