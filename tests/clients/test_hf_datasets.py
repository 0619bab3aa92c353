"""The real ``datasets`` library puts rows into a local repository, and loads them from it."""

from pathlib import Path

import pytest

from tests.fakes.hub_clients import ClientScene
from tests.fakes.hub_pushing import KEY, Start, hub

ROWS = """
from datasets import Dataset, DatasetDict, load_dataset
rows = DatasetDict({
    "train": Dataset.from_dict({"number": list(range(1000)), "text": [f"row {each}" for each in range(1000)]}),
    "test": Dataset.from_dict({"number": [1], "text": ["ä"]}),
})
rows.push_to_hub("acme/rows")
first = HfApi().dataset_info("acme/rows").sha
rows["test"].push_to_hub("acme/rows", "small", split="test")
rows["train"].push_to_hub("acme/rows", num_shards=3)
loaded, small = load_dataset("acme/rows"), load_dataset("acme/rows", "small", split="test")
streamed = load_dataset("acme/rows", split="train", streaming=True)
found = [
    loaded["train"].to_dict() == rows["train"].to_dict(),
    load_dataset("acme/rows", revision=first)["train"].to_dict() == rows["train"].to_dict(),
    loaded["test"][0],
    small[0],
    [each["number"] for each in streamed] == list(range(1000)),
    sorted(path for path in HfApi().list_repo_files("acme/rows", repo_type="dataset") if "train" in path),
]
"""

FILES = """
from datasets import load_dataset
commit = HfApi().upload_folder(repo_id="acme/files", repo_type="dataset", folder_path={folder!r}).oid
found = [
    load_dataset("acme/files", data_files="rows.csv", split="train")[1],
    load_dataset("acme/files", data_files="more/rows.jsonl", split="train", revision=commit)[0],
    load_dataset("json", data_files="hf://datasets/acme/files/more/rows.jsonl", split="train", streaming=True).take(2),
]
found[2] = [each["text"] for each in found[2]]
"""


@pytest.mark.client("datasets")
def test_rows_and_files(twist_regproxy: Start, tmp_path: Path) -> None:
    """As Parquet, of two configurations, by branch and by commit, whole and streamed; then as CSV and JSON lines."""
    scene = ClientScene(twist_regproxy(hub()), tmp_path, "datasets", KEY)
    shards = [f"data/train-{number:05}-of-00003.parquet" for number in range(3)]
    assert scene.call(ROWS) == [True, True, {"number": 1, "text": "ä"}, {"number": 1, "text": "ä"}, True, shards]
    folder = tmp_path / "files"
    (folder / "more").mkdir(parents=True)
    (folder / "rows.csv").write_text("a,b\n1,2\n3,4\n")
    (folder / "more" / "rows.jsonl").write_text('{"text": "ä"}\n{"text": "b"}\n')
    assert scene.call(FILES.format(folder=str(folder))) == [{"a": 3, "b": 4}, {"text": "ä"}, ["ä", "b"]]
