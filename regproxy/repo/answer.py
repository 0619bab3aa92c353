"""What upstream's headers say of a body, and whether such a body is taken at all. Pure."""

from attrs import evolve

from regproxy.errors import Kind, RegproxyError
from regproxy.model.fetch import Announced, Fetch
from regproxy.model.settings import RepositorySettings
from regproxy.model.want import DOCUMENT_LIMIT, Shape, Want
from regproxy.upstream.interface import Reply

_HTML = ("text/html", "application/xhtml+xml")


def read_answer(reply: Reply, want: Want, fetch: Fetch, settings: RepositorySettings, name: str) -> Announced:
    """Read a 200 of the upstream ``name``; UPSTREAM_BAD for a body that is not what was wanted."""
    headers = reply.headers
    media_type = (headers.first("content-type") or "").partition(";")[0].strip().lower()
    if settings.block_mismatching_mime_types and media_type in _HTML and _is_strange(media_type, want, fetch, settings):
        raise RegproxyError(Kind.UPSTREAM_BAD, f"{name} sent a web page in place of the artifact")
    announced = fetch.read(reply.hops)
    length = reply.source.length
    if length is not None and announced.head.length is not None and announced.head.length != length:
        raise RegproxyError(Kind.UPSTREAM_BAD, f"{name} announced one length and sends another")
    if want.shape is Shape.DOCUMENT and length is not None and length > DOCUMENT_LIMIT:
        raise RegproxyError(Kind.UPSTREAM_BAD, f"{name} sent a document of more than 64 MiB")
    coding = headers.first("content-encoding")
    if coding and coding.lower() != "identity":
        if want.shape is Shape.DOCUMENT:
            raise RegproxyError(Kind.UPSTREAM_BAD, f"{name} encoded a document though it was asked not to")
        if want.shape is Shape.FILE and not announced.digests:
            # The bytes are kept as they came; whoever is sent them must be told what they are.
            kept = announced.head.kept.plus(("content-encoding", coding))
            announced = evolve(announced, head=evolve(announced.head, kept=kept))
    return evolve(announced, head=evolve(announced.head, length=length))


def _is_strange(media_type: str, want: Want, fetch: Fetch, settings: RepositorySettings) -> bool:
    """Whether a page in place of an artifact is one: a login page, a captive portal."""
    allowed = {text.strip().lower() for text in settings.mismatching_mime_types_override_list.split(",")}
    asked_for = want.path.lower().endswith((".html", ".htm", ".xhtml"))
    return not (fetch.accept_html or asked_for or media_type in allowed)
