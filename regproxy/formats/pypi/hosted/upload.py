"""Takes files into a local repository, by the form that twine and ``uv publish`` send.

A file is seen when all of it is there, is what the form says, and says the same of itself. It never changes: who sends the same
bytes again is told that all is well, and who sends others under its name that it exists, whatever he may otherwise do. Its
metadata follows it: one that is missing after a crash is put there when the same file is sent again.
"""

from attrs import define, evolve, field, frozen
from txaio.tx import make_logger

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.pypi.hosted.archive import Metadata, read_metadata
from regproxy.formats.pypi.hosted.claims import FIELDS, FILE, Claim, claim_of
from regproxy.formats.pypi.hosted.contents import NAME, REQUIRES_PYTHON, VERSION
from regproxy.formats.pypi.names import Part
from regproxy.model.access import Action
from regproxy.model.deposit import Properties, Upload
from regproxy.model.digest import Digest
from regproxy.model.head import Head
from regproxy.repo.interface import Arrived, Hosting, Serving, Text, WrongDigestError
from regproxy.stream.apart import apart
from regproxy.stream.held import Held
from regproxy.stream.source import Source
from regproxy.web.form import open_form
from regproxy.web.request import ProxyRequest

log = make_logger()

_METADATA_HEAD = Head(media_type="text/plain; charset=utf-8")
_DONE = Text(b"", "text/plain")


class _SameError(Exception):
    """The very bytes are there already."""


@frozen
class Publishing:
    """Of one repository."""

    _serving: Serving
    _repository: Hosting

    async def upload(self, request: ProxyRequest) -> Text:
        """Take one file; ``RegproxyError`` says why not."""
        self._serving.permit_somewhere(request, Action.WRITE)
        form = await open_form(request.body, request.getHeader("content-type") or "", FIELDS, FILE)
        try:
            claim = claim_of(form.fields, form.filename)
            request.node = claim.path
            who = self._serving.permit(request, Action.WRITE, claim.path)
            self._refuse_other(claim)
        except RegproxyError:
            form.abort()
            raise
        arrival = _Arrival(self._serving, claim)
        # With its metadata: a client that leaves behind the last byte stops neither.
        await apart(self._publish(arrival, who, form), f"a file for {self._repository.key}")
        return _DONE

    def _refuse_other(self, claim: Claim) -> None:
        """Before its first byte is asked for, if the form says that it is another file."""
        held = self._serving.tree.node(claim.path)
        said = {digest.hex for digest in claim.digests if digest.algorithm == "sha256"}
        if held is not None and said and held.sha256 not in said:
            raise _exists(claim)

    async def _publish(self, arrival: "_Arrival", who: str, source: Source) -> None:
        claim = arrival.claim
        # Whether it may be there already is decided when its bytes are known, and by the row.
        upload = Upload(claim.path, claim.digests, by=who, may_replace=True)
        try:
            await self._repository.receive(upload, source, arrival.approve)
        except _SameError:
            pass
        except WrongDigestError as error:
            raise RegproxyError(Kind.INVALID, error.text) from error
        except RegproxyError as error:
            if error.kind is not Kind.DENIED or not arrival.sha256:
                raise
            held = self._serving.tree.node(claim.path)
            if held is None:
                raise
            if held.sha256 != arrival.sha256:  # another one was quicker
                raise _exists(claim) from error
        await self._put_metadata(arrival, who)

    async def _put_metadata(self, arrival: "_Arrival", who: str) -> None:
        metadata, path = arrival.metadata, arrival.claim.path + Part.METADATA.value
        if metadata is None or not metadata.is_final or self._repository.has(path, Digest.of(metadata.data)):
            return
        upload = Upload(path, by=who, may_replace=True, head=_METADATA_HEAD)
        try:
            await self._repository.receive(upload, Held(metadata.data))
        except RegproxyError as error:
            # Without it clients read the file itself.
            log.warn("{path} has no metadata beside it: {error!r}", path=arrival.claim.path, error=error)  # noqa: G010 - txaio's name


@define(eq=False)
class _Arrival:
    """One file that is being taken."""

    _serving: Serving
    claim: Claim
    metadata: Metadata | None = field(default=None, init=False)
    sha256: str = field(default="", init=False)

    async def approve(self, upload: Upload, arrived: Arrived) -> Upload:
        """Look into it (``repo.interface.Approve``)."""
        claim = self.claim
        try:
            found = await self._serving.apart(lambda: read_metadata(arrived.descriptor, arrived.size, claim.name, claim.file))
        except ValueError as error:
            raise RegproxyError(Kind.INVALID, f"{claim.file} is refused: {error}") from error
        if not claim.agrees(found.name, found.version):
            text = f"{claim.file} says of itself that it is {found.name!a} {found.version!a}"
            raise RegproxyError(Kind.INVALID, text)
        self.metadata, self.sha256 = found, arrived.digests["sha256"].hex
        held = self._serving.tree.node(claim.path)
        if held is not None and held.sha256 == self.sha256:
            raise _SameError
        if held is not None:
            raise _exists(claim)
        return evolve(upload, properties=_properties(claim, found), may_replace=False)


def _properties(claim: Claim, found: Metadata) -> Properties:
    said = {NAME: claim.name, VERSION: str(claim.version), REQUIRES_PYTHON: found.requires_python}
    return {name: (value,) for name, value in said.items() if value}


def _exists(claim: Claim) -> RegproxyError:
    return RegproxyError(Kind.CONFLICT, f"File already exists: {claim.file} with other bytes, and files do not change")
