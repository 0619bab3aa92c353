"""Rows 37, 38 and 43: whatever call goes wrong, the next start is clean, and no client ever has a wrong byte.

Every commit: a kill before every eighth N, other kinds at points drawn by a seed. ``REGPROXY_FULL=1``: each N with each kind,
from an empty folder too, and with four clients at once.
"""

import itertools
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.crash.origin import Origin
from tests.faults.crash.points import Enumeration
from tests.faults.crash.shim import Kind, Zygote

SEED = int(os.environ.get("REGPROXY_SEED") or random.randrange(1 << 32))
SAMPLES = 12
STEP = 8
KINDS = (Kind.KILL_BEFORE, Kind.KILL_AFTER, Kind.EIO, Kind.ENOSPC, Kind.SHORT)

Told = Callable[[], list[str]]

pytestmark = pytest.mark.client("cc")
each_workload = pytest.mark.parametrize("workload", ["fetches", "uploads"])
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@pytest.fixture
def runs(shimmed: Zygote, upstream: Origin, tmp_path: Path, workload: str) -> Enumeration:
    """Nothing has run yet."""
    return Enumeration(shimmed, upstream, tmp_path, workload)


@pytest.fixture
def told(runs: Enumeration, record_property: Callable[[str, object], None]) -> Told:
    """What went wrong, for a message; how many runs there were is in the summary, also of those that went well."""

    def tell() -> list[str]:
        record_property("runs", f"{runs.runs}, violations: {len(runs.violations)}, REGPROXY_SEED={SEED}")
        return [str(violation) for violation in runs.violations]

    return tell


@each_workload
def test_a_run_without_a_fault(runs: Enumeration, told: Told) -> None:
    """The workload itself breaks no rule, and has points to speak of."""
    assert runs.total() > 80
    runs.one(Kind.NONE, 0)
    assert told() == []


@each_workload
def test_kill_before_calls(runs: Enumeration, told: Told) -> None:
    """Every eighth N; the seed says which is the first."""
    assert runs.every(Kind.KILL_BEFORE, first=1 + SEED % STEP, step=STEP) > 80
    assert told() == []


@each_workload
def test_other_kinds_at_some_calls(runs: Enumeration, told: Told) -> None:
    """A sample, drawn by a seed."""
    chance, total = random.Random(SEED), runs.total()
    runs.some((chance.choice(KINDS[1:]), chance.randint(1, total)) for _ in range(SAMPLES))
    assert told() == []


@pytest.mark.full
@each_kind
@each_workload
def test_each_kind_at_each_call(runs: Enumeration, told: Told, kind: Kind) -> None:
    """All N, SQLite's own included."""
    runs.coarse = False
    runs.every(kind)
    assert told() == []


@pytest.mark.full
@each_kind
@each_workload
def test_the_first_start(runs: Enumeration, told: Told, kind: Kind) -> None:
    """All N, from an empty folder."""
    runs.from_nothing = True
    runs.every(kind)
    assert told() == []


@pytest.mark.full
@each_kind
@each_workload
def test_four_clients(runs: Enumeration, told: Told, kind: Kind) -> None:
    """Every third N: which call that is differs from run to run."""
    runs.clients = 4
    runs.every(kind, step=3)
    assert told() == []


@pytest.mark.parametrize(
    ("workload", "bug", "kind", "rule", "calls"),
    [
        ("fetches", "row_before_rename", Kind.KILL_BEFORE, "missing", {"link", "linkat", "rename", "renameat"}),
        ("fetches", "body_to_its_final_name", Kind.KILL_BEFORE, "", {"pwritev", "pwritev2", "pwrite64", "writev"}),
        ("fetches", "short_writes_ignored", Kind.SHORT, "", {"pwritev", "pwritev2", "pwrite64", "writev"}),
        ("fetches", "no_cleanup", Kind.KILL_BEFORE, "spool", {"pwritev", "pwritev2", "pwrite64", "writev"}),
        ("uploads", "told_before_its_row", Kind.KILL_BEFORE, "missing instead of", {"unlink"}),
        ("uploads", "no_uploads_kept", Kind.KILL_BEFORE, "is lost", {"ftruncate"}),
    ],
)
def test_planted_bugs_are_found(
    runs: Enumeration, told: Told, tmp_path: Path, bug: str, kind: Kind, rule: str, calls: set[str]
) -> None:
    """Without these findings the others would mean nothing. The search begins at calls where the bug can show."""
    runs.bug = bug
    likely = [call.number for call in runs.log(tmp_path / "log") if call.name in calls]
    for at in itertools.chain(likely, itertools.count(1)):
        if runs.violations or not (runs.one(kind, at) or at in likely):
            break
    assert runs.violations, f"{bug} was not found in {runs.runs} runs"
    assert rule in told()[0]
