"""Pages of one project, and lists of projects, laid over one another."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regproxy.formats.pypi.pages.html_form import read_html, write_html
from regproxy.formats.pypi.pages.json_form import read_json, write_json
from regproxy.formats.pypi.pages.merged import add_names, merge
from regproxy.formats.pypi.pages.project import File, Project

URL = "https://index.example/simple/demo/"


def file(filename: str, mark: str, *, yanked: bool = False) -> File:
    """One whose hash says whose it is."""
    return File(filename, f"https://files.example/{filename}", {"sha256": mark * 64}, yanked=yanked, size=1)


NAMES = st.sampled_from([f"demo-{version}.tar.gz" for version in range(5)])
FILES = st.lists(st.tuples(NAMES, st.booleans()), max_size=5)
PARTS = st.lists(st.tuples(FILES, st.booleans(), st.sampled_from(["1.0", "1.1", "1.4", "1.x"])), min_size=1, max_size=4)


@given(PARTS)
def test_files_of_the_first(drawn: list[tuple[list[tuple[str, bool]], bool, str]]) -> None:
    """Each name once, as the first one has it, in order; the same each time, and again after the way through either form."""
    parts = [
        Project(
            "demo",
            [file(name, "0123"[number], yanked=yanked) for name, yanked in files],
            {"api-version": version},
            tuple(str(at) for at in range(number)) if lists else None,
        )
        for number, (files, lists, version) in enumerate(drawn)
    ]
    found = merge(parts)
    seen: dict[str, File] = {}
    for part in parts:
        for each in part.files:
            seen.setdefault(each.filename, each)
    if len(parts) > 1:
        assert list(seen.values()) == list(found.files) == list(found.files)
        lowest = min("1.0" if version == "1.x" else version for _, _, version in drawn)
        assert {"api-version": lowest} == found.meta
        assert (found.versions is None) == any(part.versions is None for part in parts)
    else:
        assert parts[0] is found
    assert write_json("demo", found) == write_json("demo", merge(parts))
    for read, write in ((read_json, write_json), (read_html, write_html)):
        back = read(write("demo", found), URL)
        assert [(each.filename, each.hashes, each.yanked) for each in found.files] == [
            (each.filename, each.hashes, each.yanked) for each in back.files
        ]


def test_no_more_than_each_says() -> None:
    """Versions if all list them, by number; the lowest API; HTML in one of them makes all of it an old page."""
    new = Project(
        "Demo", [file("demo-1.tar.gz", "a")], {"api-version": "1.4", "_last-serial": 7}, ("1.10", "1.9", "odd"), extra={"x": 1}
    )
    old = Project("", [file("demo-2.tar.gz", "b")], {"api-version": "1.1"}, ("2",), {"status": "archived"}, {"x": 2, "y": 3})
    page = json.loads(write_json("demo", merge([new, old])))
    assert (["odd", "1.9", "1.10", "2"], {"api-version": "1.1"}, "Demo") == (page["versions"], page["meta"], page["name"])
    assert ({"status": "archived"}, 1, 3) == (page["project-status"], page["x"], page["y"])
    html = read_html(b'<a href="demo-3.tar.gz#sha256=%s">demo-3.tar.gz</a>' % (b"c" * 64), URL)
    page = json.loads(write_json("demo", merge([new, html])))
    assert ({"api-version": "1.0"}, False, 2) == (page["meta"], "versions" in page, len(page["files"]))


def test_a_part_that_cannot_be_read() -> None:
    """Is found out when it is written."""
    bad = read_json(b'{"meta": {"api-version": "1.0"}, "files": [{"filename": "\xff"}]}', URL)
    with pytest.raises(ValueError, match="utf-8"):
        write_json("demo", merge([Project("demo", ()), bad]))


@given(st.lists(st.lists(st.sampled_from(["a", "A", "b.c", "b-c", "B_C", "-", "d"])), max_size=4))
def test_names(lists: Sequence[Sequence[str]]) -> None:
    """Each project once, as the first one spells it; what is no name is left out."""
    found: list[str] = []
    seen: set[str] = set()
    for names in lists:
        add_names(found, seen, names)
    known = {"a": "a", "A": "a", "b.c": "b-c", "b-c": "b-c", "B_C": "b-c", "d": "d"}
    expected: dict[str, str] = {}
    for names in lists:
        for name in names:
            if name in known:
                expected.setdefault(known[name], name)
    assert (list(expected.values()), set(expected)) == (found, seen)
