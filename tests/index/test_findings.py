"""What is found among the items of an index, and how."""

from typing import Any

import pytest
from attrs import evolve, frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.index.finding_sql import compiled, glob_of
from regproxy.index.sqlite import SqliteIndex
from regproxy.index.sqlite_findings import SqliteFindings
from regproxy.index.sqlite_holdings import SqliteHoldings
from regproxy.model.digest import Digest
from regproxy.model.finding import AllOf, AnyOf, Compare, Criterion, Field, Finding, Found, How, Property, SameProperty
from tests.conformance.holdings import deposit_of
from tests.index.conftest import Begin

NAMES = {"r": "r", "up": "up-cache"}
FILE = Compare(Field.TYPE, How.EQ, "file")


@frozen
class Searched:
    """An index with a few items: ``a/b/1.txt``, ``a/2.bin``, ``top``, all in ``r``, and ``a/x`` in ``up``."""

    index: SqliteIndex

    def find(self, *parts: Criterion, seconds: float = 30.0, **more: Any) -> list[Found]:
        """All of it."""
        rows = SqliteFindings(self.index).find(Finding(AllOf(parts), **more), NAMES, seconds)
        found: list[Found] = []
        while page := rows.page(2):
            found += page
        rows.close()
        return found

    def paths(self, *parts: Criterion, **more: Any) -> list[str]:
        """In short, with what is not ``r``."""
        return [each.path if each.repository == "r" else f"{each.repository}:{each.path}" for each in self.find(*parts, **more)]


@pytest.fixture
def searched(begin: Begin) -> Searched:
    """Filled."""
    index, clock = begin()
    holdings = SqliteHoldings(index)
    given: Any = (
        ("a/b/1.txt", 1, 10.0, {"k": ("v", "w"), "n": ("1",)}),
        ("a/2.bin", 2, 20.0, {"k": ("x",)}),
        ("top", 3, 30.0, {}),
    )
    for path, blob, when, properties in given:
        digest = Digest("sha1", f"{blob}" * 40)
        clock.wait(holdings.deposit(evolve(deposit_of(path, blob, when, properties), digests=(digest,))))
    remote = evolve(deposit_of("a/x", 4, 5.0).node, repository="up", origin="https://up.example/a/x")
    clock.wait(index.put(remote, synced=True))
    clock.wait(index.put(evolve(remote, repository="hidden"), synced=True))
    return Searched(index)


def test_everything(searched: Searched) -> None:
    """Files and folders of the repositories that are named, and of no others, by repository and path."""
    assert ["a/", "a/2.bin", "a/b/", "a/b/1.txt", "top", "up:a/x"] == searched.paths()
    assert ["a/2.bin", "a/b/1.txt", "top", "up:a/x"] == searched.paths(FILE)
    assert ["a/", "a/b/"] == searched.paths(Compare(Field.TYPE, How.EQ, "folder"))


def test_an_item(searched: Searched) -> None:
    """All that is known of it."""
    found = searched.find(Compare(Field.NAME, How.EQ, "1.txt"), with_properties=True, with_checksums=True)[0]
    assert ("r", "a/b/1.txt", 10, 10.0, 10.0) == (found.repository, found.path, found.size, found.created, found.modified)
    assert ("ann", "ann", 0, None) == (found.created_by, found.modified_by, found.downloads, found.downloaded)
    assert (("k", "v"), ("k", "w"), ("n", "1")) == found.properties
    assert {"sha1": "1" * 40} == found.checksums
    assert () == searched.find(FILE)[0].properties


@pytest.mark.parametrize(
    ("criterion", "paths"),
    [
        (Compare(Field.REPO, How.EQ, "up-cache"), ["up:a/x"]),
        (Compare(Field.REPO, How.EQ, "up"), ["up:a/x"]),
        (Compare(Field.REPO, How.NE, "r"), ["up:a/x"]),
        (Compare(Field.REPO, How.MATCH, "u*"), ["up:a/x"]),
        (Compare(Field.REPO, How.EQ, "hidden"), []),
        (Compare(Field.PATH, How.EQ, "a"), ["a/2.bin", "up:a/x"]),
        (Compare(Field.PATH, How.EQ, "."), ["top"]),
        (Compare(Field.PATH, How.EQ, "a/b"), ["a/b/1.txt"]),
        (Compare(Field.PATH, How.NE, "a"), ["a/b/1.txt", "top"]),
        (Compare(Field.PATH, How.MATCH, "a*"), ["a/2.bin", "a/b/1.txt", "up:a/x"]),
        (Compare(Field.PATH, How.MATCH, "*"), ["a/2.bin", "a/b/1.txt", "top", "up:a/x"]),
        (Compare(Field.PATH, How.MATCH, "?/b"), ["a/b/1.txt"]),
        (Compare(Field.NAME, How.MATCH, "*.txt"), ["a/b/1.txt"]),
        (Compare(Field.NAME, How.NMATCH, "*.*"), ["top", "up:a/x"]),
        (Compare(Field.NAME, How.MATCHIC, "*.TXT"), ["a/b/1.txt"]),
        (Compare(Field.NAME, How.EQIC, "TOP"), ["top"]),
        (Compare(Field.NAME, How.GT, "3"), ["top", "up:a/x"]),
        (Compare(Field.SIZE, How.GTE, 30), ["top", "up:a/x"]),
        (Compare(Field.SIZE, How.LT, 20), ["a/b/1.txt"]),
        (Compare(Field.DEPTH, How.EQ, 2), ["a/2.bin", "up:a/x"]),
        (Compare(Field.CREATED, How.LTE, 10.0), ["a/b/1.txt", "up:a/x"]),
        (Compare(Field.MODIFIED_BY, How.EQ, "ann"), ["a/2.bin", "a/b/1.txt", "top"]),
        (Compare(Field.SHA1, How.EQ, "2" * 40), ["a/2.bin"]),
        (Compare(Field.SHA1, How.MATCH, "22*"), ["a/2.bin"]),
        (Compare(Field.DOWNLOADS, How.GT, 0), []),
        (Property((How.EQ, "k"), (How.EQ, "w")), ["a/b/1.txt"]),
        (Property((How.EQ, "k"), None), ["a/2.bin", "a/b/1.txt"]),
        (Property((How.EQ, "k"), (How.NE, "w")), ["a/2.bin", "top", "up:a/x"]),
        (Property((How.NE, "k"), None), ["top", "up:a/x"]),
        (Property(None, (How.MATCH, "?")), ["a/2.bin", "a/b/1.txt"]),
        (Property((How.MATCH, "*"), (How.EQ, "1")), ["a/b/1.txt"]),
        (SameProperty((Property((How.EQ, "k"), None), Property(None, (How.EQ, "1")))), []),
        (SameProperty((Property((How.EQ, "n"), None), Property(None, (How.EQ, "1")))), ["a/b/1.txt"]),
        (AnyOf((Compare(Field.NAME, How.EQ, "top"), Compare(Field.NAME, How.EQ, "x"))), ["top", "up:a/x"]),
        (AnyOf(()), []),
    ],
)
def test_criteria(searched: Searched, criterion: Criterion, paths: list[str]) -> None:
    """One at a time, among files."""
    assert paths == searched.paths(criterion, FILE)


def test_one_path(searched: Searched) -> None:
    """Folder and name together: the file, or the folder."""
    path, name = Compare(Field.PATH, How.EQ, "a"), Compare(Field.NAME, How.EQ, "b")
    assert ["a/b/"] == searched.paths(path, name)
    assert ["a/"] == searched.paths(Compare(Field.PATH, How.EQ, "."), Compare(Field.NAME, How.EQ, "a"))
    _, bindings = compiled(Finding(AllOf((path, name))), NAMES)
    assert ["a/b", "a/b/"] == bindings[1:3]


def test_order(searched: Searched) -> None:
    """By any fields, rising or falling."""
    assert ["up:a/x", "top", "a/2.bin", "a/b/1.txt"] == searched.paths(FILE, order=((Field.SIZE, True),))
    assert ["top", "a/2.bin", "a/b/1.txt", "up:a/x"] == searched.paths(FILE, order=((Field.REPO, False), (Field.NAME, True)))


def test_patterns_are_no_globs() -> None:
    """Brackets are themselves, and so is what a backslash stands before."""
    assert ("[[]a]", "[*]?*", "\\a", "*") == tuple(map(glob_of, ("[a]", "\\*?*", "\\\\a", "***")))


def test_a_search_that_takes_too_long(searched: Searched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is ended."""
    monkeypatch.setattr("regproxy.index.sqlite_findings.STEPS", 1)
    with pytest.raises(RegproxyError) as caught:
        searched.find(FILE, seconds=-1.0)
    assert Kind.TOO_SLOW is caught.value.kind
