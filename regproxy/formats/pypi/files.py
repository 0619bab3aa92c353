"""Files: where they are, and what they must hash to, stands in the index document of their project, and only there.

What is held under the digest of its address is served without a question to the index. For anything else the project's document
is resolved first (it is stored like any other, and an old copy will do), and it alone names the URL that is asked. If
neither the document nor the file can be had, the answer says what happened to the document: an outage is not a 404.
"""

from functools import lru_cache
from urllib.parse import urlsplit, urlunsplit

from attrs import frozen

from regproxy.errors import RegproxyError
from regproxy.formats.pypi import address
from regproxy.formats.pypi.documents import Documents
from regproxy.formats.pypi.names import Part, version_of
from regproxy.formats.pypi.pages.project import File, best_digest
from regproxy.model.digest import Digest
from regproxy.model.want import Shape, Want
from regproxy.repo.interface import Answer, Body, Described, Missing, Repository, Unavailable
from regproxy.web.errors import STATUS


@frozen
class Located:
    """Where a file, or what lies beside it, is to be had, and what it hashes to."""

    url: str
    digest: Digest | None


@frozen(eq=False)
class Files:
    """Those of one repository."""

    _repository: Repository
    _documents: Documents

    async def answer(self, wanted: address.File, *, body: bool) -> Answer:
        """Find a file."""
        # The digest is that of the file itself, not of what lies beside it.
        known = wanted.digest if wanted.part is Part.FILE else None
        if known is not None:
            want = _want(wanted, Shape.BLOB, body, digest=known)
            held = await self._repository.resolve(want) if self._repository.has(want.path, known) else None
            if isinstance(held, Body | Described):
                return held
        located = await self._locate(wanted)
        if isinstance(located, Located):
            shape = Shape.BLOB if located.digest is not None else Shape.FILE
            return await self._repository.resolve(_want(wanted, shape, body, located.url, located.digest))
        if known is None and self._repository.has(wanted.path):
            return await self._repository.resolve(_want(wanted, Shape.BLOB, body))
        return located

    async def _locate(self, wanted: address.File) -> Located | Answer:
        try:
            file = await self._documents.find(wanted.name, wanted.file)
        except RegproxyError as error:
            return Unavailable(STATUS[error.kind], error.text)
        if file is None:
            return Missing(f"the index of {wanted.name} does not name this file")
        if not isinstance(file, File):
            return file
        digest = file.digest
        if wanted.digest and digest and digest.algorithm == wanted.digest.algorithm and digest != wanted.digest:
            return Missing(f"the index of {wanted.name} names other bytes for this file now")
        return locate(file, wanted.part) or Missing(f"the index of {wanted.name} does not say that this exists")


def locate(file: File, part: Part) -> Located | None:
    """Where it is; None if the index does not say that there is such a thing."""
    match part:
        case Part.FILE:
            return Located(file.url, file.digest)
        case Part.METADATA if file.core_metadata is not None and file.core_metadata is not False:
            hashes = {} if file.core_metadata is True else file.core_metadata
            return Located(_beside(file.url, part), best_digest(hashes))
        case Part.SIGNATURE if file.gpg_sig is not False:
            return Located(_beside(file.url, part), None)
        case Part.PROVENANCE if file.provenance is not None:
            return Located(file.provenance, None)
    return None


def _beside(url: str, part: Part) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path + part.value))


@lru_cache(maxsize=address.REMEMBERED)
def _want(wanted: address.File, shape: Shape, body: bool, url: str = "", digest: Digest | None = None) -> Want:  # noqa: FBT001 - as in Want
    return Want(wanted.path, shape, body, wanted.name, version_of(wanted.name, wanted.file), digest=digest, upstream=url)
