"""Tests that need something of the machine are skipped where it is missing, and fail where it must not be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sources import CHECKOUT

TESTS = """
import pytest

@pytest.mark.client("no-such-client-anywhere")
def test_missing(): pass

@pytest.mark.client("sh")
def test_here(): pass

@pytest.mark.client("sh")
def test_skips_itself(): pytest.skip("because")

@pytest.mark.network
def test_network(): pass

def test_unmarked(): pytest.skip("because")

@pytest.mark.full
def test_all(): pass
"""


@pytest.mark.parametrize(
    ("required", "expected"),
    [
        ("", {"missing": "SKIPPED", "here": "PASSED", "skips_itself": "SKIPPED", "network": "SKIPPED", "unmarked": "SKIPPED"}),
        ("1", {"missing": "ERROR", "here": "PASSED", "skips_itself": "FAILED", "network": "PASSED", "unmarked": "SKIPPED"}),
    ],
)
def test_outcomes(tmp_path: Path, required: str, expected: dict[str, str]) -> None:
    """With ``REGPROXY_REQUIRE_CLIENTS=1`` a marked test is never skipped; what is of the full tier is left out, not skipped."""
    file = tmp_path / "test_some.py"
    file.write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", str(CHECKOUT / "pyproject.toml"), "-vv"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(file)],
        cwd=CHECKOUT,
        env={**os.environ, "REGPROXY_FULL": "", "REGPROXY_REQUIRE_CLIENTS": required, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if "::test_" in line and "%]" in line]
    found = {line.partition("::test_")[2].split()[0]: line.split()[1] for line in lines}
    assert found == expected, done.stdout
