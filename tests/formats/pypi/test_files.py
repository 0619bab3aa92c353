"""Where a file is taken from, and what it must be."""

import hashlib

import pytest

from regproxy.formats.pypi.address import File
from regproxy.formats.pypi.documents import Documents
from regproxy.formats.pypi.files import Files, locate
from regproxy.formats.pypi.names import Part
from regproxy.formats.pypi.pages import project
from regproxy.model.digest import Digest
from regproxy.model.want import Shape, Want
from regproxy.repo.interface import Answer, Body, Missing, Unavailable
from tests.formats.pypi.scene import DATA, PAGE_PATH, SHA, WHEEL, WHEEL_PATH, Canned, Serving, entry, page, result

OTHER = Digest.of(b"other")
DOWN = Unavailable(503, "index.example:443 cannot be reached")


def ask(repository: Canned, part: Part = Part.FILE, digest: Digest | None = SHA, *, body: bool = True) -> Answer:
    """Ask for the wheel."""
    files = Files(repository, Documents(Serving(repository)))
    answer: Answer = result(files.answer(File("demo", WHEEL, part, digest), body=body))
    return answer


def test_what_is_held_needs_no_index() -> None:
    """The digest of the address is enough."""
    repository = Canned(held={WHEEL_PATH: DATA}, answers={PAGE_PATH: DOWN})
    assert isinstance(ask(repository), Body)
    assert [want.path for want in repository.wanted] == [WHEEL_PATH]


def test_the_index_says_where_and_what() -> None:
    """URL and digest of a file that is not held come from its project's page, for a HEAD too."""
    repository = Canned(upstream={PAGE_PATH: page(entry()), WHEEL_PATH: DATA})
    assert isinstance(ask(repository, body=False), Body)
    assert repository.wanted[-1] == Want(
        WHEEL_PATH, Shape.BLOB, body=False, name="demo", version="1.0", digest=SHA, upstream=f"https://files.example/{WHEEL}"
    )


def test_an_address_that_somebody_made_up() -> None:
    """A file that the index does not name, or names with other bytes, is not asked for anywhere."""
    repository = Canned(upstream={PAGE_PATH: page(entry()), WHEEL_PATH: DATA})
    assert ask(repository, digest=OTHER) == Missing("the index of demo names other bytes for this file now")
    nothing = Canned(upstream={PAGE_PATH: page(), WHEEL_PATH: DATA})
    assert ask(nothing) == Missing("the index of demo does not name this file")
    assert [want.path for want in (*repository.wanted, *nothing.wanted)] == [PAGE_PATH, PAGE_PATH]


def test_a_file_that_left_the_index() -> None:
    """It is served for as long as it is held."""
    repository = Canned(held={WHEEL_PATH: DATA}, upstream={PAGE_PATH: page()})
    assert isinstance(ask(repository), Body)
    assert isinstance(ask(repository, digest=None), Body)


def test_a_file_that_was_replaced_upstream() -> None:
    """The address of the new one leads to the new one, although the old one is held."""
    new = b"new bytes"
    repository = Canned(held={WHEEL_PATH: DATA}, upstream={PAGE_PATH: page(entry(hashes={"sha256": Digest.of(new).hex}))})
    ask(repository, digest=Digest.of(new))
    assert repository.wanted[-1].digest == Digest.of(new)


def test_an_outage_of_the_index_is_an_outage() -> None:
    """Nobody knows whether the file exists, so nobody says that it doesn't."""
    assert ask(Canned(answers={PAGE_PATH: DOWN})) == DOWN


def test_a_page_that_is_no_page() -> None:
    """It is upstream's fault."""
    answer = ask(Canned(upstream={PAGE_PATH: b"<html>"}))
    assert isinstance(answer, Unavailable)
    assert answer.status == 502


def test_metadata_has_a_digest_of_its_own() -> None:
    """From ``core-metadata``; an index that cannot be asked does not matter if the metadata is held."""
    sha256 = hashlib.sha256(b"metadata").hexdigest()
    repository = Canned(
        upstream={PAGE_PATH: page(entry(**{"core-metadata": {"sha256": sha256}})), f"{WHEEL_PATH}.metadata": b"metadata"}
    )
    assert isinstance(ask(repository, Part.METADATA), Body)
    want = repository.wanted[-1]
    assert (want.shape, want.digest, want.upstream) == (
        Shape.BLOB,
        Digest("sha256", sha256),
        f"https://files.example/{WHEEL}.metadata",
    )
    offline = Canned(held={f"{WHEEL_PATH}.metadata": b"metadata"}, answers={PAGE_PATH: DOWN})
    assert isinstance(ask(offline, Part.METADATA), Body)


def test_a_file_without_a_digest() -> None:
    """It is a mutable one: upstream may replace it without a word."""
    repository = Canned(upstream={PAGE_PATH: page(entry(hashes={})), WHEEL_PATH: DATA})
    assert isinstance(ask(repository, digest=None), Body)
    assert (repository.wanted[-1].shape, repository.wanted[-1].digest) == (Shape.FILE, None)


def test_a_held_file_that_is_damaged() -> None:
    """The index is asked where to get it again."""
    repository = Canned(held={WHEEL_PATH: DATA}, upstream={PAGE_PATH: page(entry())})
    repository.answers[WHEEL_PATH] = Unavailable(502, "upstream points to an address that is none")
    ask(repository)
    assert [want.upstream for want in repository.wanted] == ["", "", f"https://files.example/{WHEEL}"]


@pytest.mark.parametrize(
    ("part", "said", "url"),
    [
        (Part.METADATA, None, None),
        (Part.METADATA, False, None),
        (Part.METADATA, True, "https://files.example/a.whl.metadata?sig=1"),
        (Part.METADATA, {}, "https://files.example/a.whl.metadata?sig=1"),
        (Part.SIGNATURE, None, "https://files.example/a.whl.asc?sig=1"),
        (Part.PROVENANCE, None, None),
    ],
)
def test_what_lies_beside(part: Part, said: bool | dict[str, str] | None, url: str | None) -> None:  # noqa: FBT001 - a field's value
    """Metadata is there if upstream says so, signatures unless it says no."""
    found = locate(project.File("a.whl", "https://files.example/a.whl?sig=1", core_metadata=said), part)
    assert (found.url if found else None) == url


def test_provenance_has_an_address_of_its_own() -> None:
    """Wherever upstream keeps it."""
    found = locate(project.File("a.whl", "https://files.example/a.whl", provenance="https://index.example/p"), Part.PROVENANCE)
    assert found is not None
    assert found.url == "https://index.example/p"


def test_an_index_that_says_no_signature() -> None:
    """There is none then."""
    assert locate(project.File("a.whl", "https://files.example/a.whl", gpg_sig=False), Part.SIGNATURE) is None
