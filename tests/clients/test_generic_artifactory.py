"""Public client libraries of Artifactory's API: what they do with repositories, files, folders, properties and queries."""

import hashlib
import json
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from tests.fakes.deploying import ask, local
from tests.fakes.process import Regproxy, run
from tests.fakes.pushing import Client, images
from tests.fakes.registry_image import build_image

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


MANAGING = """
import json, sys
import dohq_artifactory.admin
from artifactory import ArtifactoryPath
from dohq_artifactory import RepositoryLocal, RepositoryVirtual

dohq_artifactory.admin.rest_delay = lambda: None  # it would wait for a slow server
base, password, file = sys.argv[1:]
told = {}
server = ArtifactoryPath(base, auth=("admin", password))
models, archive = (RepositoryLocal(server, key, package_type=RepositoryLocal.GENERIC) for key in ("models", "archive"))
for each in (models, archive):
    each.description = "made by a script"
    each.create()
told["made"] = [models.read(), models.description, models.raw["snapshotVersionBehavior"]]
models.description = "changed by a script"
models.update()
told["changed"] = models.description
told["listed"] = sorted(each.name for each in server.get_repositories())
every = RepositoryVirtual(server, "all", repositories=["models", "archive"], default_deployment_repo_name="archive")
every.create()
(every / "shown" / "v.txt").deploy_file(file)
shown = every / "shown" / "v.txt"
told["virtual"] = [every.read(), (models / "shown" / "v.txt").exists(), shown.read_bytes() == open(file, "rb").read()]
(archive / "shown").rmdir()
every.delete()
for name, stage in (("a.bin", "final"), ("b.bin", "draft"), ("c.txt", "final")):
    (models / "team" / "x" / name).deploy_file(file, parameters={"stage": stage})
told["search"] = [str(each.name) for each in models.search(terms={"@stage": "final"}, sort={"$desc": ["name"]})]
told["named"] = sorted(str(each.name) for each in models["*.bin"])
told["query"] = server.aql(
    "items.find", {"repo": "models", "$or": [{"name": {"$match": "a*"}}, {"name": {"$match": "b*"}}]},
    ".include", ["repo", "path", "name", "size", "@stage"], ".sort", {"$asc": ["name"]}, ".limit", 1)
(models / "team").copy(archive / "kept")
told["copied"] = [str(each.name) for each in sorted((archive / "kept" / "x").iterdir())]
told["properties"] = (archive / "kept" / "x" / "a.bin").properties
told["dry"] = (models / "team").move(archive / "moved", dry_run=True)
(models / "team" / "x" / "a.bin").move(archive / "moved.bin")
told["moved"] = [(models / "team" / "x" / "a.bin").exists(), (archive / "moved.bin").stat().size]
(archive / "kept").rmdir()
told["removed"] = (archive / "kept").exists()
models.delete()
told["gone"] = [models.read(), sorted(each.name for each in server.get_repositories())]
print(json.dumps(told))
"""

MOVING_ON = """
import json, sys
from artifactory import ArtifactoryPath

base, password, folder = sys.argv[1:]
told = {}
server = ArtifactoryPath(base, auth=("admin", password))
said = dict(target_docker_repo="released/app", target_tag="1.0")
server.promote_docker_image("dev", "prod", "team/app", "build-7", copy=True, **said)
server.promote_docker_image("dev", "prod", "team/app", "build-7")
try:
    server.promote_docker_image("dev", "prod", "team/app", "build-7")
except Exception as error:
    told["again"] = str(error)
for kind in ("zip", "tar.gz"):
    ArtifactoryPath(base + "/files/team", auth=("admin", password)).archive(archive_type=kind, check_sum=True).writeto(
        out=folder + "/team." + kind, chunk_size=100 * 1024)
print(json.dumps(told))
"""

TYPED = """
import json, sys
from pyartifactory import Artifactory
from pyartifactory.exception import PropertyNotFoundError, RepositoryNotFoundError
from pyartifactory.models import LocalRepository, RemoteRepository

base, password, file, upstream = sys.argv[1:]
told = {}
art = Artifactory(url=base, auth=("admin", password), api_version=1)
made = art.repositories.create_repo(LocalRepository(key="mine", packageType="generic", description="d", xrayIndex=True))
told["made"] = [made.key, made.description, made.rclass, made.xrayIndex]
wanted = RemoteRepository(key="up", packageType="generic", url=upstream, username="me", password="p")
remote = art.repositories.create_repo(wanted)
told["remote"] = [remote.url, remote.username, remote.socketTimeoutMillis]
made.notes = "changed"
told["changed"] = art.repositories.update_repo(LocalRepository(key="mine", notes="changed", packageType="generic")).notes
told["listed"] = sorted(each.key for each in art.repositories.list())
art.artifacts.deploy(file, "mine/a/file.bin")
told["info"] = art.artifacts.info("mine/a/file.bin").size
told["set"] = art.artifacts.set_properties("mine/a/file.bin", {"k": ["v", "w"]}).properties
told["copy"] = art.artifacts.copy("mine/a/file.bin", "mine/b/copy.bin").path
told["move"] = art.artifacts.move("mine/b", "mine/c").path
told["tree"] = sorted(each.uri for each in art.artifacts.list("mine").files)
told["stats"] = art.artifacts.stats("mine/a/file.bin").downloadCount
art.artifacts.delete("mine/c")
art.repositories.delete("mine")
try:
    art.repositories.get_repo("mine")
except RepositoryNotFoundError:
    told["gone"] = True
print(json.dumps(told))
"""


async def told_by(regproxy: Regproxy, program: Path, script: Path, *arguments: str | Path) -> dict[str, Any]:
    """What a script has printed at last; the administrator's password is told to it."""
    password = (regproxy.data_dir / "admin.password").read_text().strip()
    finished = await run([program, script, f"{regproxy.base_url}/artifactory", password, *arguments])
    assert finished.code == 0, finished.output
    found: dict[str, Any] = json.loads(finished.output.splitlines()[-1])
    return found


@pytest.mark.client("artifactory")
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


@pytest.mark.client("artifactory")
@pytest_twisted.ensureDeferred
async def test_repositories_queries_and_moves(
    twist_regproxy: Callable[..., Regproxy], client_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """Made, filled, searched, copied, moved and removed by one script."""
    script, file = tmp_path / "script.py", tmp_path / "file.bin"
    script.write_text(MANAGING)
    file.write_bytes(DATA[: 1 << 16])
    told = await told_by(twist_regproxy(local()), client_python("artifactory"), script, file)
    assert [True, "made by a script", "unique"] == told["made"]
    assert "changed by a script" == told["changed"]
    assert ["archive", "files", "models"] == told["listed"]
    assert [True, False, True] == told["virtual"]
    assert ["c.txt", "a.bin"] == told["search"]
    assert ["a.bin", "b.bin"] == told["named"]
    item = {"repo": "models", "path": "team/x", "name": "a.bin", "size": 1 << 16}
    assert [{**item, "properties": [{"key": "stage", "value": "final"}]}] == told["query"]
    assert ["a.bin", "b.bin", "c.txt"] == told["copied"]
    assert {"stage": ["final"]} == told["properties"]
    assert [False, 1 << 16] == told["moved"]
    assert not told["removed"]
    assert [False, ["archive", "files"]] == told["gone"]


@pytest.mark.client("artifactory")
@pytest_twisted.ensureDeferred
async def test_promotions_and_archives(
    twist_regproxy: Callable[..., Regproxy], client_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """An image is copied under another name, then moved; a folder comes as one file, with the checksums of what is in it."""
    regproxy = twist_regproxy(local() + images("dev") + images("prod"))
    image = build_image()
    Client(regproxy, root="/v2/dev").push_image("build-7", image)
    for name in ("a.bin", "deep/b.bin"):
        assert 201 == ask(regproxy, "PUT", f"/files/team/{name}", DATA[: 1 << 20]).status
    script = tmp_path / "script.py"
    script.write_text(MOVING_ON)
    told = await told_by(regproxy, client_python("artifactory"), script, tmp_path)
    assert "Unable to find team/app:build-7 in dev" in told["again"]
    for root, name, tag, status in (
        ("/v2/prod", "released/app", "1.0", 200),
        ("/v2/prod", "team/app", "build-7", 200),
        ("/v2/dev", "team/app", "build-7", 404),
    ):
        got = Client(regproxy, name, root).ask("GET", f"manifests/{tag}")
        assert (status, status == 200) == (got.status, got.body == image.index.body)
    names = {f"{name}{end}" for name in ("a.bin", "deep/b.bin") for end in ("", ".md5", ".sha1", ".sha256")}
    with zipfile.ZipFile(tmp_path / "team.zip") as archive:
        assert (names, DATA[: 1 << 20]) == (set(archive.namelist()), archive.read("deep/b.bin"))
    with tarfile.open(tmp_path / "team.tar.gz") as tar:
        assert names == set(tar.getnames())


@pytest.mark.client("pyartifactory")
@pytest_twisted.ensureDeferred
async def test_a_typed_library(
    twist_regproxy: Callable[..., Regproxy], client_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """It sends every key that there is, with its default, and reads every answer strictly."""
    script, file = tmp_path / "script.py", tmp_path / "file.bin"
    script.write_text(TYPED)
    file.write_bytes(DATA[: 1 << 16])
    told = await told_by(twist_regproxy(local()), client_python("pyartifactory"), script, file, "http://127.0.0.1:9")
    assert ["mine", "d", "local", True] == told["made"]
    assert ["http://127.0.0.1:9", "me"] == told["remote"][:2]
    assert "changed" == told["changed"]
    assert ["files", "mine", "up"] == told["listed"]
    assert (1 << 16, {"k": ["v", "w"]}) == (told["info"], told["set"])
    assert ["/b/copy.bin", "/c"] == [told["copy"], told["move"]]
    assert told["gone"]
