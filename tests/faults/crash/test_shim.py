"""The shim sees every call that changes the data directory: strace watches the same run."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.crash.origin import Origin
from tests.faults.crash.shim import STRACED, Kind, read_log, zygote

pytestmark = pytest.mark.client("cc", "strace")

CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)$")
SAME = {"open": "openat", "creat": "openat", "openat2": "openat"}


def traced(text: str, folder: str) -> Counter[str]:
    """What strace saw of calls that touch a folder, by name; opens only where they may create."""
    seen: Counter[str] = Counter()
    for line in text.splitlines():
        match = CALL.match(line)
        if match is None or folder not in match[2] or "resumed>" in line:
            continue
        name = SAME.get(match[1], match[1])
        if name == "openat" and "O_CREAT" not in match[2]:
            continue
        if name in ("sendfile", "splice") and not re.match(rf"\d+<[^>]*{re.escape(folder)}", match[2]):
            continue  # out of a file of ours, which changes nothing
        seen[name] += 1
    return seen


@pytest.mark.parametrize("workload", ["fetches", "uploads"])
def test_no_call_is_missed(workload: str, library: Path, upstream: Origin, tmp_path: Path) -> None:
    """Both count the same calls under the same names, over start, all steps of a workload, and stop."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    trace = tmp_path / "trace"
    prefix = ["strace", "-f", "-qq", "-y", "-s", "0", "-o", str(trace), "-e", f"trace={STRACED}"]
    with zygote(library, tmp_path / "zygote", prefix) as made:
        ended = made.run(workload, data_dir, f"{upstream.url}/traced", Kind.NONE, log=str(tmp_path / "log"))
    assert ended.result["points"] > 80
    assert Counter(call.name for call in read_log(tmp_path / "log")) == traced(trace.read_text(), str(data_dir))
