"""Names of projects and files, and the paths of nodes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regproxy.formats.pypi.names import FILE_LIMIT, Part, admits, file_path, is_file, normalise, split_part, version_of
from regproxy.model.patterns import Patterns

NAMES = st.from_regex(re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,20}[A-Za-z0-9])?", re.ASCII), fullmatch=True)


@pytest.mark.parametrize(
    ("text", "name"),
    [("Demo.Pkg", "demo-pkg"), ("a__b-.c", "a-b-c"), ("six", "six"), ("", None), ("-a", None), ("a b", None), ("../a", None)],
)
def test_normalise(text: str, name: str | None) -> None:
    """PEP 503, and None for what is no name."""
    assert name == normalise(text)


@given(NAMES)
def test_normalising_twice_changes_nothing(text: str) -> None:
    """A normalised name is its own normalised name."""
    name = normalise(text)
    assert name is not None
    assert name == normalise(name)


@pytest.mark.parametrize(
    ("name", "file", "version"),
    [
        ("six", "six-1.0-py2.py3-none-any.whl", "1.0"),
        ("demo-pkg", "Demo_Pkg-1.0-2-py3-none-any.whl", "1.0"),
        ("torch", "torch-2.0.0+cpu-cp311-cp311-linux_x86_64.whl", "2.0.0+cpu"),
        ("demo-pkg", "demo-pkg-1.0.post1.tar.gz", "1.0.post1"),
        ("demo", "demo-1!2.0.zip", "1!2.0"),
        ("demo", "demo-1.0.tar.bz2", "1.0"),
        ("demo", "demo-1.0-py2.7.egg", "1.0"),
        ("demo", "demo-1.0.win32-py2.7.exe", "1.0"),
        ("demo", "demo-bar-1.0.tar.gz", "-"),
        ("demo", "demo.zip", "-"),
        ("demo", "demo-nightly.tar.gz", "-"),
        ("demo", "demo-1.0.0-not a wheel.whl", "1.0.0"),
    ],
)
def test_versions(name: str, file: str, version: str) -> None:
    """What a file's name says, by the rules or by those before them; a dash for what says nothing."""
    assert version == version_of(name, file)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        ".hidden",
        "a/b",
        "a\\b",
        "a\nb",
        "a\x7f",
        "a.whl.metadata",
        "a.tar.gz.asc",
        "\ud800",
        "a" * (FILE_LIMIT + 1),
    ],
)
def test_no_names_of_files(text: str) -> None:
    """What could not be one segment of a path, or could be taken for what lies beside a file."""
    assert is_file(text) is False


@given(st.text(min_size=1, max_size=40))
def test_names_of_files_are_one_segment(text: str) -> None:
    """Whatever an index says: an accepted name stays where it is put."""
    if is_file(text):
        assert file_path("demo", text).split("/")[2:] == [text]


@pytest.mark.parametrize("part", list(Part))
def test_parts(part: Part) -> None:
    """What lies beside a file is told by its ending."""
    assert split_part(f"a-1.whl{part.value}") == ("a-1.whl", part)
    assert file_path("a", "a-1-py3-none-any.whl", part) == f"a/1/a-1-py3-none-any.whl{part.value}"


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("demo/1.0/demo-1.0.zip", True),
        ("demo/1.0/demo-1.0.exe", False),
        ("other/1.0/other-1.0.zip", False),
        (".pypi/.projects.json", True),
        (".pypi/demo.json", True),
        (".pypi/api/demo.json", True),
        (".pypi/api/demo/1.0.json", True),
        (".pypi/other.json", False),
        (".pypi/api/other.json", False),
        (".pypi/api/other/1.0.json", False),
        (".pypi/api.json", False),
        (".other/demo.json", False),
    ],
)
def test_patterns(path: str, is_one: bool) -> None:  # noqa: FBT001 - what is expected
    """Hold for files, and for documents as far as they let a file of that project be."""
    assert is_one == admits(Patterns.of("demo/**", "**/*.exe"), path)
