"""Which tests a mutant meets, and in which order."""

import json
from pathlib import Path

from tests.mutants.covered import FILE, Covered

PATH = "regproxy/store/disk.py"


def covered(folder: Path) -> Covered:
    """As the plugin would have written it."""
    lines = {PATH: {"1": [""], "10": ["slow", "quick"], "11": ["slow"], "30": ["other"]}}
    (folder / FILE).write_text(json.dumps({"lines": lines, "took": {"slow": 3.0, "quick": 0.1, "other": 1.0}}))
    return Covered.read(folder)


def test_those_that_run_the_line(tmp_path: Path) -> None:
    """The quickest first; a statement may have begun some lines before."""
    found = covered(tmp_path)
    assert [found.tests(PATH, line) for line in (10, 11, 13)] == [["quick", "slow"], ["slow"], ["slow"]]
    assert found.seconds(["quick", "slow"]) == 3.1


def test_what_runs_at_import_concerns_all(tmp_path: Path) -> None:
    """A constant is used wherever it is."""
    assert covered(tmp_path).tests(PATH, 1) == ["quick", "other", "slow"]


def test_what_nothing_runs(tmp_path: Path) -> None:
    """Nothing can notice it."""
    assert (covered(tmp_path).tests(PATH, 20), covered(tmp_path).tests("regproxy/store/x.py", 1)) == ([], [])
