"""How an index is asked."""

import pytest

from regproxy.errors import RegproxyError
from regproxy.formats.pypi.plan import ORIGIN_URL, index_url, plan
from regproxy.model.digest import Digest
from regproxy.model.fetch import Hop
from regproxy.model.headers import Headers
from regproxy.model.settings import RepositorySettings
from regproxy.model.want import Shape, Want


def remote(url: str = "https://index.example/simple", *, registry: str = "", suffix: str = "simple") -> RepositorySettings:
    """Its settings."""
    return RepositorySettings(
        key="pypi", rclass="remote", package_type="pypi", url=url, py_pi_registry_url=registry, py_pi_repository_suffix=suffix
    )


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (remote("https://index.example"), "https://index.example/simple/"),
        (remote("https://index.example/"), "https://index.example/simple/"),
        (remote("https://index.example/simple"), "https://index.example/simple/"),
        (remote("https://index.example/simple/"), "https://index.example/simple/"),
        (remote("https://a.example/api/pypi/x/simple"), "https://a.example/api/pypi/x/simple/"),
        (remote("https://a.example/api/pypi/simple-repo"), "https://a.example/api/pypi/simple-repo/simple/"),
        (remote("https://d.example/root/pypi/+simple/"), "https://d.example/root/pypi/+simple/"),
        (remote("https://d.example/root/pypi", suffix="+simple"), "https://d.example/root/pypi/+simple/"),
        (remote("https://w.example/whl/cpu", suffix=""), "https://w.example/whl/cpu/"),
        (remote("https://w.example/whl/cpu/."), "https://w.example/whl/cpu/"),
        (remote("https://w.example/."), "https://w.example/"),
        (remote("https://files.example", registry="https://index.example"), "https://index.example/simple/"),
        (remote("https://n.example/a/b", suffix="deep/er"), "https://n.example/a/b/deep/er/"),
    ],
)
def test_index_url(settings: RepositorySettings, expected: str) -> None:
    """With or without the suffix, never with it twice."""
    assert expected == index_url(settings)


def test_pages_are_asked_for_in_json_first() -> None:
    """HTML is a way out, and no login page in itself; a minute is believed."""
    fetch = plan(Want(".pypi/demo-pkg.json", Shape.DOCUMENT), remote())
    assert fetch.url == "https://index.example/simple/demo-pkg/"
    assert fetch.headers.first("accept") == (
        "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
    )
    assert (fetch.accept_html, fetch.freshness.period) == (True, 60.0)


def test_the_final_address_of_a_page_is_kept() -> None:
    """Behind redirects, without what may be secret in it, under a name that is never sent."""
    fetch = plan(Want(".pypi/demo.json", Shape.DOCUMENT), remote())
    hops = (
        Hop("https://index.example/simple/demo/", 302, Headers()),
        Hop("https://user:secret@mirror.example/x/demo/?sig=1", 200, Headers.of(content_type="text/html", etag='"e"')),
    )
    head = fetch.read(hops).head
    assert head.kept == Headers(((ORIGIN_URL, "https://mirror.example/x/demo/"),))
    assert (head.media_type, head.etag) == ("text/html", '"e"')


@pytest.mark.parametrize(
    ("path", "url"),
    [
        (".pypi/.projects.json", "https://index.example/simple/"),
        (".pypi/api/demo.json", "https://index.example/pypi/demo/json"),
        (".pypi/api/demo/1.0.json", "https://index.example/pypi/demo/1.0/json"),
    ],
)
def test_other_documents(path: str, url: str) -> None:
    """The list, and the JSON API beside the index; ten minutes."""
    fetch = plan(Want(path, Shape.DOCUMENT), remote())
    assert (fetch.url, fetch.freshness.period) == (url, 600.0)


def test_an_index_of_another_shape_has_no_json_api() -> None:
    """Nobody knows where it would be."""
    with pytest.raises(RegproxyError):
        plan(Want(".pypi/api/demo.json", Shape.DOCUMENT), remote("https://w.example/whl/."))


def test_files_go_where_the_index_says() -> None:
    """With the digest that it says, for ever."""
    digest = Digest.of(b"wheel")
    want = Want("demo/1.0/demo-1.0-py3-none-any.whl", Shape.BLOB, digest=digest, upstream="https://files.example/x.whl")
    fetch = plan(want, remote())
    found = fetch.read((Hop(fetch.url, 200, Headers.of(content_length="5")),))
    assert (fetch.url, fetch.freshness.period, found.digests) == ("https://files.example/x.whl", None, (digest,))
    assert found.head.etag == f'"{digest}"'
    assert "immutable" in (found.head.kept.first("cache-control") or "")


def test_files_without_a_digest_are_asked_for_again() -> None:
    """Upstream may have replaced them."""
    fetch = plan(Want("demo/1.0/demo-1.0.zip", Shape.FILE, upstream="https://files.example/x.zip"), remote())
    found = fetch.read((Hop(fetch.url, 200, Headers.of(etag='"e"')),))
    assert (fetch.freshness.period, found.digests, found.head.kept) == (3600.0, (), Headers())


def test_a_file_of_which_no_index_was_asked_is_not_fetched() -> None:
    """There is no address to make one up from."""
    assert plan(Want("demo/1.0/demo-1.0.zip", Shape.BLOB), remote()).url == ""
