"""Ant patterns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regproxy.model.patterns import Patterns


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("**/*", "a", True),
        ("**/*", "a/b/c.txt", True),
        ("*.txt", "a.txt", True),
        ("*.txt", "b/a.txt", False),
        ("**/*.txt", "a.txt", True),
        ("**/*.txt", "b/c/a.txt", True),
        ("org/**", "org", True),
        ("org/**", "org/a/b", True),
        ("org/**", "organic/a", False),
        ("org/", "org/a", True),
        ("org/**/x", "org/x", True),
        ("org/**/x", "org/a/b/x", True),
        ("org/**/x", "org/a/bx", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("a.c", "abc", False),
        ("a(b|c)", "ab", False),
        ("/lead/*", "lead/x", True),
        ("one/*, two/*", "two/x", True),
        ("one/*,two/*", "three/x", False),
        ("**", "any/thing", True),
        ("**", "", True),
        ("a/**", "a/line\nbreak", True),
    ],
)
def test_includes(pattern: str, path: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """Each rule of the notation, one row each."""
    assert Patterns.of(pattern).admits(path) is expected


def test_exclusion_beats_inclusion() -> None:
    """What both lists match is refused."""
    patterns = Patterns.of("org/**", "org/secret/**,**/*.tmp")
    assert [patterns.admits(path) for path in ("org/a", "org/secret/a", "org/b/c.tmp", "com/a")] == [True, False, False, False]


def test_no_inclusion_admits_everything() -> None:
    """An empty ``includesPattern`` is no filter."""
    assert Patterns.of("", "").admits("any/thing")


@given(st.text(max_size=60), st.text(max_size=40))
def test_any_text_is_a_pattern(pattern: str, path: str) -> None:
    """No operator's text fails to compile, and the default admits every path."""
    Patterns.of(pattern, pattern).admits(path)
    assert Patterns.of().admits(path)


@given(st.text(st.characters(blacklist_characters="*?,/", blacklist_categories=("Cs", "Z", "C")), min_size=1, max_size=30))
def test_literal_text_matches_itself_only(text: str) -> None:
    """Nothing but the wildcards has a meaning."""
    patterns = Patterns.of(text)
    assert patterns.admits(text)
    assert not patterns.admits(text + "x")


def test_hostile_pattern_is_linear() -> None:
    """What takes a backtracking matcher for ever is answered at once."""
    assert not Patterns.of("*a" * 40 + "b").admits("a" * 5000)


@pytest.mark.parametrize(
    ("includes", "excludes", "expected"),
    [
        ("**/*", "", True),
        ("", "", True),
        ("acme/**", "", True),
        ("acme/", "", True),
        ("a?me/*/*", "", True),
        ("**/*.whl", "", True),
        ("**", "", True),
        ("other/**", "", False),
        ("acme", "", False),
        ("*.whl", "", False),
        ("other/**, acme/1.0/*", "", True),
        ("**/*", "acme/**", False),
        ("**/*", "acme/", False),
        ("**/*", "ac*/*/*", False),
        ("**/*", "**/*", False),
        ("**/*", "acme/1.0/**", True),
        ("**/*", "**/*.whl", True),
        ("**/*", "other/**", True),
        ("acme/**", "a*/**", False),
    ],
)
def test_reach(includes: str, excludes: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """Whether anything in a folder at the top may be served."""
    assert expected is Patterns.of(includes, excludes).reach("acme", 2)
