"""Documents, read and rendered: once, every body released."""

import json
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.pypi.documents import Documents
from regproxy.formats.pypi.memo import Memo
from regproxy.repo.interface import Missing, Text
from tests.formats.pypi.scene import PAGE_PATH, SHA, URL, WHEEL, Canned, Serving, entry, page, result

JSON = "application/vnd.pypi.simple.v1+json"


def documents(data: bytes, **more: Any) -> tuple[Documents, Canned, Serving]:
    """Those of a repository whose upstream has one page."""
    repository = Canned(upstream={PAGE_PATH: data}, **more)
    serving = Serving(repository)
    return Documents(serving), repository, serving


def test_a_page_in_both_forms() -> None:
    """With exact types, a tag of its own for each, and what caches have to know."""
    made, repository, _ = documents(page(entry()))
    as_json, as_html = result(made.page("demo", JSON)), result(made.page("demo", None))
    assert isinstance(as_json, Text)
    assert (as_json.media_type, as_html.media_type) == (JSON, "text/html")
    assert as_json.etag != as_html.etag
    assert json.loads(as_json.body)["files"][0]["url"] == f"../../packages/demo/1.0/{SHA.hex}/{WHEEL}"
    for text in (as_json, as_html):
        assert (text.headers.first("vary"), text.headers.first("cache-control"), text.age) == ("Accept", "no-cache", 3)
        assert URL not in str(text.headers)
    assert [body.released for body in repository.bodies] == [1, 1]


def test_a_page_is_rendered_once() -> None:
    """As long as upstream's bytes are the same."""
    made, repository, _ = documents(page(entry()))
    first, second = result(made.page("demo", JSON)), result(made.page("demo", JSON))
    assert first.body is second.body
    repository.upstream[PAGE_PATH] = page()
    assert result(made.page("demo", JSON)).body != first.body
    assert [body.released for body in repository.bodies] == [1, 1, 1]


def test_a_page_that_is_nested_too_deeply() -> None:
    """Is upstream's fault."""
    made, repository, _ = documents(b'{"meta":{"api-version":"1.0"},"files":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    with pytest.raises(RegproxyError, match="nested") as caught:
        result(made.page("demo", JSON))
    assert caught.value.kind is Kind.UPSTREAM_BAD
    assert [body.released for body in repository.bodies] == [1]


def test_a_file_is_found() -> None:
    """In the page; None if it is not there; bodies are released."""
    made, repository, _ = documents(page(entry()))
    assert result(made.find("demo", WHEEL)).url == f"https://files.example/{WHEEL}"
    assert result(made.find("demo", "demo-2.0.zip")) is None
    assert [body.released for body in repository.bodies] == [1, 1]


def test_an_html_page_stays_html_for_pip() -> None:
    """JSON without upload times would look as if nothing had been uploaded ever."""
    made, *_ = documents(f'<a href="{WHEEL}">{WHEEL}</a>'.encode(), media_type="text/html; charset=utf-8")
    pip = f"{JSON}, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
    assert result(made.page("demo", pip)).media_type == "application/vnd.pypi.simple.v1+html"
    assert result(made.page("demo", JSON)).media_type == JSON


def test_what_is_no_page() -> None:
    """A bad gateway, each time anew, and nothing stays open."""
    made, repository, _ = documents(b'{"meta": {"api-version": "2.0"}}')
    for _ in range(2):
        with pytest.raises(RegproxyError) as raised:
            result(made.page("demo", None))
        assert raised.value.kind is Kind.UPSTREAM_BAD
    assert [body.released for body in repository.bodies] == [1, 1]


def test_what_is_missing_stays_missing() -> None:
    """Answers without a body pass."""
    made, *_ = documents(page())
    assert result(made.page("other", None)) == Missing("upstream does not have it")
    assert result(made.projects(None)) == Missing("upstream does not have it")
    assert result(made.release("demo", ".pypi/api/demo.json", "x")) == Missing("upstream does not have it")


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b'{"meta": {"api-version": "1.0"}, "projects": [{"name": "Demo.Pkg"}, {"name": "../x"}, {"name": "a"}]}', JSON),
        (b'<a href="/simple/x/">Demo.Pkg</a><a href="../">../x</a><a href="/simple/a/">a</a>', "text/html"),
    ],
)
def test_the_list_of_projects(data: bytes, media_type: str) -> None:
    """Read from either form, written in both; links lead to our pages."""
    made, repository, _ = documents(b"", media_type=media_type)
    repository.upstream[".pypi/.projects.json"] = data
    assert json.loads(result(made.projects(JSON)).body)["projects"] == [{"name": "Demo.Pkg"}, {"name": "a"}]
    assert b'<a href="demo-pkg/">Demo.Pkg</a>' in result(made.projects(None)).body


def test_the_json_api() -> None:
    """Addresses of files become ours, all else stays; a file without a usable name has no address."""
    path = ".pypi/api/demo.json"
    file = {"filename": WHEEL, "url": "https://files.example/x", "digests": {"sha256": SHA.hex, "md5": "0"}}
    sent = {"info": {"name": "demo"}, "urls": [file], "releases": {"1.0": [file, {"filename": "../x", "url": "y"}]}}
    made, repository, _ = documents(b"")
    repository.upstream[path] = json.dumps(sent).encode()
    text = result(made.release("demo", path, "https://us.example/api/pypi/pypi"))
    ours = file | {"url": f"https://us.example/api/pypi/pypi/packages/demo/1.0/{SHA.hex}/{WHEEL}"}
    assert json.loads(text.body) == sent | {"urls": [ours], "releases": {"1.0": [ours, {"filename": "../x"}]}}
    repository.upstream[path] = b"[]"
    with pytest.raises(RegproxyError):
        result(made.release("demo", path, "x"))


def test_memo_makes_a_thing_once_for_all_who_wait() -> None:
    """The work goes on when the first one who asked leaves."""
    memo: Memo[bytes] = Memo(10, len)
    working: Deferred[bytes] = Deferred()
    made: list[int] = []

    async def make() -> bytes:
        made.append(1)
        return await working

    first, second = (Deferred.fromCoroutine(memo.get("key", make)) for _ in range(2))
    got: list[Any] = []
    first.addErrback(lambda failure: got.append(failure.check(CancelledError)))
    second.addCallback(got.append)
    first.cancel()
    working.callback(b"done")
    assert got == [CancelledError, b"done"]
    assert result(memo.get("key", make)) == b"done"
    assert made == [1]


def test_memo_forgets_what_was_not_used_for_longest() -> None:
    """And what is larger than the whole; failures are not kept."""
    memo: Memo[bytes] = Memo(10, len)
    made: list[bytes] = []

    async def make(data: bytes) -> bytes:
        made.append(data)
        if not data:
            raise ValueError
        return data

    for data in (b"aaaa", b"bbbb", b"aaaa", b"cccc", b"aaaa", b"bbbb", b"d" * 11, b"bbbb"):
        assert result(memo.get(data, lambda data=data: make(data))) == data  # type: ignore[misc] # the loop's own value
    assert made == [b"aaaa", b"bbbb", b"cccc", b"bbbb", b"d" * 11, b"bbbb"]
    for _ in range(2):
        with pytest.raises(ValueError):  # noqa: PT011 - without a text
            result(memo.get(b"", lambda: make(b"")))
    assert made[-2:] == [b"", b""]
