"""A public client library of Artifactory's API against a local repository: deploy, describe, annotate, list, download, delete."""

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import pytest_twisted

from tests.fakes.deploying import local
from tests.fakes.process import Regproxy, run

pytestmark = pytest.mark.client("artifactory")

DATA = random.Random(9).randbytes(11 << 20)

SCRIPT = """
import json, sys
from artifactory import ArtifactoryException, ArtifactoryPath
from pathlib import Path

base, file = sys.argv[1:]
told = {}
root = ArtifactoryPath(base + "/files")
where = root / "team" / "build 7" / "model.tar.gz"
where.deploy_file(file, parameters={"version": "1.0", "tags": ["a", "b,c"]})
stat = where.stat()
told["stat"] = [stat.size, stat.sha256, stat.sha1, stat.md5, stat.mime_type, stat.created_by, stat.is_dir]
told["deployed with"] = where.properties
where.set_properties({"version": "2.0", "odd": "x,y=z|w", "more": ["1", "2"]})
told["set"] = where.properties
where.update_properties({"odd": None, "version": "3"})
where.del_properties(["tags"])
told["updated"] = where.properties
told["bytes"] = where.read_bytes() == Path(file).read_bytes()
told["children"] = sorted(str(each.name) for each in (root / "team").iterdir())
(root / "other").mkdir()
told["folder"] = [(root / "other").is_dir(), where.is_file(), (root / "none").exists()]
copy = root / "other" / "copy.bin"
copy.deploy_by_checksum(sha1=stat.sha1, sha256=stat.sha256)
told["copy"] = copy.stat().sha256 == stat.sha256
try:
    (root / "unknown").deploy_by_checksum(checksum="0" * 40)
except ArtifactoryException as error:
    told["unknown"] = str(error)
try:
    (root / "wrong").deploy(open(file, "rb"), md5="0" * 32)
except ArtifactoryException as error:
    told["wrong"] = str(error)
told["glob"] = sorted(each.name for each in root.glob("**/*.bin"))
copy.unlink()
told["gone"] = copy.exists()
(root / "team").rmdir()
told["all gone"] = [where.exists(), (root / "team").exists()]
print(json.dumps(told))
"""


@pytest_twisted.ensureDeferred
async def test_a_public_library(
    twist_regproxy: Callable[..., Regproxy], client_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """Everything that it does with files, folders and properties."""
    script, file = tmp_path / "script.py", tmp_path / "model.tar.gz"
    script.write_text(SCRIPT)
    file.write_bytes(DATA)
    regproxy = twist_regproxy(local())
    finished = await run([client_python("artifactory"), script, f"{regproxy.base_url}/artifactory", file])
    assert finished.code == 0, finished.output
    told = json.loads(finished.output.splitlines()[-1])
    sums = [hashlib.new(name, DATA).hexdigest() for name in ("sha256", "sha1", "md5")]
    assert [len(DATA), *sums, "application/gzip", "anonymous", False] == told["stat"]
    assert {"version": ["1.0"], "tags": ["a", "b,c"]} == told["deployed with"]
    after = {"version": ["2.0"], "tags": ["a", "b,c"], "odd": ["x,y=z|w"], "more": ["1", "2"]}
    assert after == told["set"]
    assert {"version": ["3"], "more": ["1", "2"]} == told["updated"]
    assert told["bytes"]
    assert ["build 7"] == told["children"]
    assert [True, True, False] == told["folder"]
    assert told["copy"]
    assert "Checksum deploy failed" in told["unknown"]
    assert "expected md5" in told["wrong"]
    assert ["copy.bin"] == told["glob"]
    assert not told["gone"]
    assert [False, False] == told["all gone"]
