"""Row 38: a durable commit survives a power loss at any moment, whatever was not synced; and the replay sees what is missing."""

from pathlib import Path

import pytest

from tests.conformance.store import name_of
from tests.faults.crash.replay import broken
from tests.faults.crash.shim import Kind, Zygote, read_log
from tests.faults.crash.uploads import PUSHED

pytestmark = pytest.mark.client("cc")


def replayed(shimmed: Zygote, folder: Path, bug: str | None = None) -> list[str]:
    """Run a durable commit and lose power everywhere."""
    data_dir = folder / "data"
    data_dir.mkdir()
    log = folder / "log"
    ended = shimmed.run("durable", data_dir, "", Kind.NONE, log=str(log), bug=bug)
    name = ended.result["value"]
    assert name == name_of(PUSHED)
    return broken(read_log(log), str(data_dir / "store" / "blobs" / "sha256" / name[:2] / name), len(PUSHED))


def test_a_durable_commit(shimmed: Zygote, tmp_path: Path) -> None:
    """Whole or absent before its word is given, whole afterwards."""
    assert replayed(shimmed, tmp_path) == []


@pytest.mark.parametrize(
    ("bug", "finding"), [("no_data_sync", "torn"), ("no_name_sync", "it is gone"), ("no_folder_sync", "it is gone")]
)
def test_a_missing_sync_is_seen(shimmed: Zygote, tmp_path: Path, bug: str, finding: str) -> None:
    """Each of the three syncs of a commit is needed."""
    assert [text for text in replayed(shimmed, tmp_path, bug) if finding in text] != []
