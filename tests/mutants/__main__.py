"""``python -m tests.mutants``: draw mutants of ``regproxy/store`` and ``regproxy/stream`` by a seed that is printed, and run the
tests that run their line against each, quick ones first, in a copy of the tree. Status 1 if fewer than ``--least`` percent are
noticed.
"""

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from tests.mutants.covered import Covered
from tests.mutants.mutations import Mutant, mutants, mutated

CHECKOUT = Path(__file__).resolve().parents[2]
COPIED = ("regproxy", "tests", "twisted", "etc", "pyproject.toml", "setup.cfg")
PACKAGES = ("store", "stream")
TESTS = (
    *(f"tests/{name}" for name in ("store", "stream", "repo", "upkeep", "sharing", "web")),
    *(f"tests/wire/test_{name}.py" for name in ("sendfile", "unreadable", "passing", "integrity", "crowd", "turns", "wide_tls")),
    "tests/faults/test_stalled_disk.py",
)
# What these run is in processes of their own, where nobody looks for lines.
ELSEWHERE = {
    "store": ["tests/store/test_crash.py", "tests/wire/test_restart.py"],
    "stream": ["tests/wire/test_passing.py", "tests/wire/test_integrity.py"],
}
STARTING = 30.0
PATIENCE = 6.0


@frozen
class Drawn:
    """A mutant and its file."""

    path: Path
    mutant: Mutant

    def __str__(self) -> str:
        return f"{self.path}:{self.mutant.line}: {self.mutant.what}"


def drawn(count: int, seed: int) -> list[Drawn]:
    """A sample of all mutants."""
    every = [
        Drawn(path.relative_to(CHECKOUT), mutant)
        for package in PACKAGES
        for path in sorted((CHECKOUT / "regproxy" / package).rglob("*.py"))
        for mutant in mutants(ast.parse(path.read_text()))
    ]
    return random.Random(seed).sample(every, min(count, len(every)))


def run(tree: Path, arguments: Sequence[str], seconds: float | None = None) -> bool:
    """Whether the tests pass in a tree."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=tree, env=environment, timeout=seconds, capture_output=True, check=False)
    except subprocess.TimeoutExpired:
        return False  # it hangs: that is noticed
    return done.returncode == 0


def noticed(tree: Path, one: Drawn, covered: Covered) -> bool:
    """Make the mistake, run the tests, take it back."""
    tests = [*covered.tests(str(one.path), one.mutant.line), *ELSEWHERE[one.path.parts[1]]]
    if not tests:
        return False
    seconds = STARTING + PATIENCE * covered.seconds(tests)
    source = (tree / one.path).read_text()
    (tree / one.path).write_text(mutated(ast.parse(source), one.mutant))
    try:
        return not run(tree, tests, seconds)
    finally:
        (tree / one.path).write_text(source)


def main() -> int:
    """Draw, run, report."""
    parser = argparse.ArgumentParser(description="Mutation testing of store and stream.")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--least", type=float, default=90.0)
    asked = parser.parse_args()
    say = sys.stdout.write
    say(f"seed {asked.seed}\n")
    survivors, sample = [], drawn(asked.count, asked.seed)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        for name in COPIED:
            source = CHECKOUT / name
            shutil.copytree(source, tree / name) if source.is_dir() else shutil.copy(source, tree / name)
        if not run(tree, ["-p", "tests.mutants.covered", *TESTS]):
            say("the tests fail without a mutant\n")
            return 2
        covered = Covered.read(tree)
        for number, one in enumerate(sample, start=1):
            if noticed(tree, one, covered):
                verdict = "noticed"
            else:
                verdict = "SURVIVED"
                survivors.append(one)
            say(f"{number}/{len(sample)} {verdict} {one}\n")
            sys.stdout.flush()
    share = 100 * (1 - len(survivors) / len(sample))
    say(f"{len(sample) - len(survivors)} of {len(sample)} noticed ({share:.1f} %), seed {asked.seed}\n")
    return 0 if share >= asked.least else 1


if __name__ == "__main__":
    sys.exit(main())
