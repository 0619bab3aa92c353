"""What the hub's headers say of a file, and when they are enough."""

from regproxy.formats.huggingface.address import File, Id, Info, Type
from regproxy.formats.huggingface.names import document_want, file_want
from regproxy.formats.huggingface.plan import plan, read_file, says_all
from regproxy.model.digest import Digest
from regproxy.model.fetch import Hop
from regproxy.model.headers import Headers
from regproxy.model.settings import RepositorySettings

SHA = "0123456789abcdef0123456789abcdef01234567"
OID = "580d310c00000000000000000000000000000000"
SHA256 = "ab" * 32
HUB = "https://huggingface.co/acme/tiny/resolve/x"
CDN = "https://cdn.example/object"
SETTINGS = RepositorySettings(key="hf", rclass="remote", package_type="huggingfaceml", url="https://huggingface.co/")
TINY = Id(Type.MODELS, "acme", "tiny")


def hop(url: str, status: int, **headers: str) -> Hop:
    """An answer."""
    return Hop(url, status, Headers.of(**headers))


LFS = hop(HUB, 302, etag=f'"{SHA256}"', x_linked_etag=f'"{SHA256}"', x_linked_size="30", x_repo_commit=SHA, content_length="9")
SMALL = hop(HUB, 307, etag=f'"{OID}"', x_repo_commit=SHA, content_length="9")


def test_lfs_file() -> None:
    """Digest, size and ETag are the hub's; the CDN's ETag, which looks like a digest, and its type are not believed."""
    found = read_file([LFS, hop(CDN, 200, etag=f'"{"0" * 64}"', content_length="30", content_type="binary/x")])
    assert found.digests == (Digest("sha256", SHA256),)
    assert (found.head.etag, found.head.length, found.head.media_type) == (f'"{SHA256}"', 30, "application/octet-stream")
    assert found.head.kept == Headers.of(x_linked_etag=f'"{SHA256}"', x_linked_size="30")


def test_small_file() -> None:
    """A Git blob; its length is that of the last answer."""
    found = read_file([SMALL, hop("https://huggingface.co/api/resolve-cache/x", 200, etag=f'W/"{OID}"', content_length="7")])
    assert found.digests == (Digest("git-sha1", OID),)
    assert (found.head.etag, found.head.length, found.head.media_type) == (f'"{OID}"', 7, "application/octet-stream")


def test_where_a_document_is() -> None:
    """A redirect is noted: it may lead to another repository."""
    read = plan(document_want(Info(TINY, "main")), SETTINGS).read
    asked, led = (f"https://huggingface.co/api/models/{each}/revision/main" for each in ("acme/tiny", "acme/new"))
    assert read([hop(asked, 200)]).head.kept == Headers()
    assert read([hop(asked, 307), hop(led, 200)]).head.kept == Headers.of(content_location="/api/models/acme/new/revision/main")


def test_head_of_a_redirect() -> None:
    """The length of the redirect itself is nobody's business."""
    found = read_file([LFS])
    assert (found.head.length, found.head.media_type) == (30, "application/octet-stream")


def test_a_size_that_is_none() -> None:
    """It is neither believed nor passed on."""
    found = read_file([hop(HUB, 302, x_linked_etag=f'"{SHA256}"', x_linked_size="9" * 30)])
    assert (found.head.length, found.head.kept) == (None, Headers.of(x_linked_etag=f'"{SHA256}"'))


def test_redirects_that_are_answers() -> None:
    """A HEAD ends where id and size are known: not at a redirect without a size, not at a refusal."""
    assert [says_all(each) for each in (LFS, SMALL, hop(HUB, 403, x_linked_etag=f'"{OID}"', x_linked_size="3"))] == [
        True,
        False,
        False,
    ]


def test_nobody_says_what_it_is() -> None:
    """No digest, no ETag: what a CDN calls it is not passed on."""
    found = read_file([hop(HUB, 302), hop(CDN, 200, etag='"abc"', content_length="7")])
    assert (found.digests, found.head.etag, found.head.length) == ((), None, 7)


def test_sizes_that_differ() -> None:
    """The hub's word counts; the repository then refuses a body of another length."""
    assert read_file([LFS, hop(CDN, 200, content_length="31")]).head.length == 30


def test_urls() -> None:
    """Below the configured endpoint."""
    assert (
        plan(file_want(File(TINY, SHA, "a b"), body=True), SETTINGS).url
        == f"https://huggingface.co/acme/tiny/resolve/{SHA}/a%20b"
    )
    document = plan(document_want(Info(TINY, "main")), SETTINGS)
    assert (document.url, document.head_stops) == ("https://huggingface.co/api/models/acme/tiny/revision/main", None)
