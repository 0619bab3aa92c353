"""The table of the fault matrix names what exists: all 59 rows, and tests that can be found."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.faults.__main__ import main
from tests.sources import CHECKOUT, functions, tree_of

TABLE = CHECKOUT / "docs" / "design" / "faults.md"
ROWS = range(1, 60)
ELSEWHERE = ("cluster, later", "scanner, later")
TIERS = {"commit", "full", "both", "clients", "later"}
_ROW = re.compile(r"\| (\d+) \| (.+) \| (\w+) \| (.+) \|")
_NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
_CASES = re.compile(r"`cases/(\w+)\.py`")


def rows() -> Iterator[tuple[int, str, str]]:
    """Number, tier and tests of each row of the first table."""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        found = _ROW.fullmatch(line)
        if found:
            yield int(found[1]), found[3], found[4]


def names_in(path: str) -> set[str]:
    """Functions, classes and assigned names of a test file."""
    file = CHECKOUT / "tests" / path
    assert file.exists(), f"{path} does not exist"
    assigned = {
        target.id
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    classes = {node.name for node in ast.walk(tree_of(file)) if isinstance(node, ast.ClassDef)}
    return assigned | classes | {function.name for function in functions(file)}


def test_every_row_is_there() -> None:
    """Each once, in order, with a tier."""
    found = list(rows())
    assert [number for number, _, _ in found] == list(ROWS)
    assert {tier for _, tier, _ in found} <= TIERS


def test_every_test_exists() -> None:
    """What a row names can be run; a row that names nothing does not concern one node."""
    for number, tier, tests in rows():
        named, cases = _NAMED.findall(tests), _CASES.findall(tests)
        if tier == "later":
            assert tests in ELSEWHERE, f"row {number}"
            continue
        assert named or cases, f"row {number} names no test"
        for path, name in named:
            assert name in names_in(path), f"row {number}: {path}::{name}"
        for module in cases:
            text = (CHECKOUT / "tests" / "faults" / "cases" / f"{module}.py").read_text()
            assert re.search(rf"(?:@case|_\w+)\({number}, |@case\({number},", text), (
                f"row {number}: cases/{module}.py has none of it"
            )


def test_a_row_without_cases_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """What was not played has not passed."""
    with pytest.raises(SystemExit) as ended:
        main(["--target", "http://127.0.0.1:9", "--row", "13", "--row", "35"])
    assert ended.value.code == 2
    assert "row 35 has no case" in capsys.readouterr().err
