"""Refusals as the hub's clients need them."""

import json

import pytest

from regproxy.formats.huggingface.address import Address, File, Id, Info, Refs, Tree, Type
from regproxy.formats.huggingface.failures import explained, failure
from regproxy.model.headers import Headers
from regproxy.repo.interface import Missing, Refused, Text, Unavailable

SHA = "0123456789abcdef0123456789abcdef01234567"
TINY = Id(Type.MODELS, "acme", "tiny")
FILE = File(TINY, "main", "a")


@pytest.mark.parametrize(
    ("address", "commit", "code"),
    [
        (FILE, SHA, "EntryNotFound"),
        (Tree(TINY, "main", "a"), SHA, "EntryNotFound"),
        (FILE, "", "RevisionNotFound"),
        (Info(TINY, "main"), "", "RevisionNotFound"),
        (Info(TINY), "", "RepoNotFound"),
        (Refs(TINY), "", "RepoNotFound"),
    ],
)
def test_missing_without_a_code(address: Address, commit: str, code: str) -> None:
    """The address says what is missing; an entry is missing of a commit."""
    found = explained(Missing("it is not there"), address, commit)
    assert isinstance(found, Text)
    assert (found.status, found.headers.first("x-error-code")) == (404, code)
    assert (SHA if code == "EntryNotFound" else None) == found.headers.first("x-repo-commit")
    assert json.loads(found.body) == {"error": "it is not there"}


def test_words_of_upstream() -> None:
    """They go through."""
    kept = Headers.of(x_error_code="GatedRepo", x_error_message="Access to model acme/tiny is restricted.")
    found = explained(Refused(403, "refused", kept), FILE, SHA)
    assert isinstance(found, Text)
    assert (found.status, found.headers.first("x-error-code")) == (403, "GatedRepo")
    assert json.loads(found.body) == {"error": "Access to model acme/tiny is restricted."}
    assert found.headers.all("x-error-message") == ("Access to model acme/tiny is restricted.",)


def test_a_refusal_without_a_code() -> None:
    """Clients that read show the reason of this one, and of no other."""
    found = explained(Refused(403, "excluded by a pattern"), FILE)
    assert isinstance(found, Text)
    assert (found.status, found.headers.first("x-error-code")) == (403, "GatedRepo")
    assert json.loads(found.body) == {"error": "excluded by a pattern"}


def test_private_or_absent() -> None:
    """The public hub's 401 of what does not exist."""
    found = explained(Refused(403, "other credentials", Headers.of(x_error_message="Invalid username or password.")), Info(TINY))
    assert isinstance(found, Text)
    assert (found.status, found.headers.first("x-error-code")) == (403, "RepoNotFound")


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (Unavailable(429, "slowly", 7), "7"),
        (Unavailable(429, "slowly", None, Headers.of(ratelimit='"api";r=0;t=55')), "55"),
        (Unavailable(429, "slowly"), "5"),
        (Unavailable(503, "down", 9), "9"),
        (Unavailable(503, "down"), None),
    ],
)
def test_later(answer: Unavailable, seconds: str | None) -> None:
    """A client that is too quick is always told how long to wait."""
    found = failure(answer)
    assert (answer.status, seconds) == (found.status, found.headers.first("retry-after"))
    assert found.headers.first("x-error-code")
    assert found.headers.first("x-error-message")
