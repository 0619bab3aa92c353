"""``python -m tests.mutants``: draw mutants of ``regproxy/store`` and ``regproxy/stream`` by a seed that is printed, and run the
tests that run their line against each, quick ones first, in a copy of the tree. Status 1 if fewer than ``--least`` percent are
noticed. A large sample may be run in parts (``--part 3/8``), which look once only which tests run which line (``--covered``).
"""

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from attrs import frozen

from tests.mutants.covered import FILE, Covered
from tests.mutants.mutations import Mutant, mutants, mutated

CHECKOUT = Path(__file__).resolve().parents[2]
COPIED = ("regproxy", "tests", "twisted", "etc", "pyproject.toml", "setup.cfg")
PACKAGES = ("store", "stream")
TESTS = (
    *(f"tests/{name}" for name in ("store", "stream", "repo", "upkeep", "sharing", "web")),
    *(f"tests/wire/test_{name}.py" for name in ("sendfile", "unreadable", "passing", "integrity", "crowd", "turns", "wide_tls")),
    "tests/wire/test_upstream_sessions.py",
    "tests/faults/test_stalled_disk.py",
)
# What these run is in processes of their own, where nobody looks for lines.
ELSEWHERE = {
    "store": ["tests/store/test_crash.py", "tests/wire/test_restart.py"],
    "stream": ["tests/wire/test_passing.py", "tests/wire/test_integrity.py"],
}
STARTING = 30.0
PATIENCE = 6.0
QUICK = 0.5


@frozen
class Drawn:
    """A mutant and its file."""

    path: Path
    mutant: Mutant

    def __str__(self) -> str:
        return f"{self.path}:{self.mutant.line}: {self.mutant.what}"


def every() -> list[Drawn]:
    """All mutants there are."""
    return [
        Drawn(path.relative_to(CHECKOUT), mutant)
        for package in PACKAGES
        for path in sorted((CHECKOUT / "regproxy" / package).rglob("*.py"))
        for mutant in mutants(ast.parse(path.read_text()))
    ]


def drawn(count: int, seed: int, part: str, lines: Collection[str]) -> list[Drawn]:
    """A part of a sample, or all mutants of some lines."""
    found = every()
    if lines:
        return [one for one in found if f"{one.path}:{one.mutant.line}" in lines]
    number, parts = map(int, part.split("/"))
    return random.Random(seed).sample(found, min(count, len(found)))[number - 1 :: parts]


def failure(tree: Path, arguments: Sequence[str], seconds: float | None = None) -> str:
    """Run tests in a tree: what pytest says of the first that fails, or nothing."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=tree, env=environment, timeout=seconds, capture_output=True, text=True, check=False)
    except subprocess.TimeoutExpired:
        return f"not over after {seconds} s"
    return (done.stdout or done.stderr or f"status {done.returncode}") if done.returncode else ""


def noticed(tree: Path, one: Drawn, covered: Covered) -> bool:
    """Make the mistake, run the tests, take it back."""
    tests = [*covered.tests(str(one.path), one.mutant.line), *ELSEWHERE[one.path.parts[1]]]
    quick = [test for test in tests if covered.seconds([test]) < QUICK]
    near = [test for test in quick if test.startswith(f"tests/{one.path.parts[1]}/")]
    # One after the other: few files to collect at first, and what hangs in a quick test is not waited for as long as all take.
    groups = near, [test for test in quick if test not in near], tests[len(quick) :]
    source = (tree / one.path).read_text()
    (tree / one.path).write_text(mutated(ast.parse(source), one.mutant))
    try:
        return any(failure(tree, group, STARTING + PATIENCE * covered.seconds(group)) for group in groups if group)
    finally:
        (tree / one.path).write_text(source)


def main() -> int:
    """Draw, run, report."""
    parser = argparse.ArgumentParser(description="Mutation testing of store and stream.")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--least", type=float, default=90.0)
    parser.add_argument("--part", default="1/1", metavar="N/OF", help="every OF-th of the sample, from the Nth on")
    parser.add_argument("--only", action="append", default=[], metavar="PATH:LINE", help="all mutants of a line; no sample")
    parser.add_argument("--covered", type=Path, metavar="FILE", help="which tests run which line: read if there, else written")
    asked = parser.parse_args()
    say = sys.stdout.write
    say(f"seed {asked.seed}\n")
    survivors, sample = [], drawn(asked.count, asked.seed, asked.part, asked.only)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        for name in COPIED:
            source = CHECKOUT / name
            shutil.copytree(source, tree / name) if source.is_dir() else shutil.copy(source, tree / name)
        if asked.covered and asked.covered.exists():
            shutil.copy(asked.covered, tree / FILE)
        elif found := failure(tree, ["-p", "tests.mutants.covered", *TESTS]):
            say(f"{found}\nthe tests fail without a mutant\n")
            return 2
        elif asked.covered:
            shutil.copy(tree / FILE, asked.covered)
        covered = Covered.read(tree)
        for number, one in enumerate(sample, start=1):
            if noticed(tree, one, covered):
                verdict = "noticed"
            else:
                verdict = "SURVIVED"
                survivors.append(one)
            say(f"{number}/{len(sample)} {verdict} {one}\n")
            sys.stdout.flush()
    share = 100 * (1 - len(survivors) / max(1, len(sample)))
    say(f"{len(sample) - len(survivors)} of {len(sample)} noticed ({share:.1f} %), seed {asked.seed}\n")
    return 0 if share >= asked.least else 1


if __name__ == "__main__":
    sys.exit(main())
