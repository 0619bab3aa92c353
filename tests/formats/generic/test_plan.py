"""Wants become upstream addresses, and refusals envelopes."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regproxy.formats.generic import FORMAT
from regproxy.formats.generic.names import want_for
from regproxy.formats.generic.plan import plan
from regproxy.model.headers import Headers
from regproxy.model.settings import RepositorySettings
from regproxy.repo.interface import Missing, Refused, Unavailable
from regproxy.web.paths import split_path

SETTINGS = RepositorySettings(key="r", rclass="remote", url="https://up.example/base/")
SEGMENT = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/\\"), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("a/b.zip", "https://up.example/base/a/b.zip"),
        ("a b/ü", "https://up.example/base/a%20b/%C3%BC"),
        ("100%/a?b#c", "https://up.example/base/100%25/a%3Fb%23c"),
        ("@x/a:b", "https://up.example/base/@x/a:b"),
    ],
)
def test_address(path: str, url: str) -> None:
    """Encoded once, and only what has to be."""
    fetch = plan(want_for(path.split("/"), frozenset(), body=True), SETTINGS)
    assert (fetch.url, fetch.freshness.period, fetch.freshness.negative) == (url, 600.0, 30.0)


def test_query_is_passed_on() -> None:
    """As it came."""
    assert plan(want_for(("a",), frozenset(), body=True, query="x=%20"), SETTINGS).url == "https://up.example/base/a?x=%20"


@given(st.lists(SEGMENT.filter(lambda text: text not in (".", "..")), min_size=1, max_size=4))
def test_what_upstream_decodes_is_the_path(segments: list[str]) -> None:
    """Whatever the names are."""
    url = plan(want_for(segments, frozenset(), body=True), SETTINGS).url
    assert split_path(url.removeprefix("https://up.example").encode("ascii")).segments == ("base", *segments)


@pytest.mark.parametrize(
    ("answer", "status", "later"),
    [
        (Missing("not here"), 404, None),
        (Refused(403, "not here"), 403, None),
        (Unavailable(503, "not here", retry_after=7), 503, "7"),
        (Unavailable(502, "not here"), 502, None),
    ],
)
def test_refusals(answer: Missing | Refused | Unavailable, status: int, later: str | None) -> None:
    """The envelope, the reason, and when to come again."""
    text = FORMAT.failure(answer)
    assert msgspec.json.decode(text.body) == {"errors": [{"status": status, "message": "not here"}]}
    assert (text.status, text.headers.first("retry-after")) == (status, later)
    assert text.headers.first("x-regproxy-reason") == "not here"


def test_kept_headers_are_shown() -> None:
    """Those that upstream's refusal had."""
    assert FORMAT.failure(Missing("no", Headers.of(x_error="e"))).headers.first("x-error") == "e"
