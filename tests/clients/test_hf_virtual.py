"""The real huggingface_hub with one endpoint for what a team has made and what hubs publish."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from regproxy.access.first import OPEN
from regproxy.model.access import Action
from regproxy.model.principals import Target, TokenRow, User
from tests.clients.test_hf_trouble import RAISED
from tests.clients.test_hf_upload import REFUSED, snapshot, upload, write
from tests.fakes.hub import Hub
from tests.fakes.hub_clients import DATASET, MODEL, WEIGHTS, ClientScene, dataset_files, model_files
from tests.fakes.hub_pushing import hub
from tests.fakes.people import HASH, populate
from tests.fakes.process import Regproxy
from tests.wire.test_hub_virtual import virtual

ENVIRONMENTS = [pytest.param(name, marks=pytest.mark.client(name)) for name in ("hf-current", "hf-0.36")]
CONTENT = {"README.md": b"# ours\n", "a b/c.json": b"{}", "empty.txt": b"", WEIGHTS: random.Random(5).randbytes(12 << 20)}


@frozen
class Server:
    """A hub, a local repository that is closed to strangers, and both as one."""

    hub: Hub
    proxy: Regproxy
    token: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all; large files of the local repository come back by Xet."""
    with Hub() as far:
        for kind, name, files in (("models", MODEL, model_files()), ("datasets", DATASET, dataset_files())):
            far.repo(kind, name).commit(files)
        far.repo("models", "acme/gated", gated=True).commit({"config.json": b"{}"})
        tables = far.remote("far") + hub("team", 'uploadPartBytes = "5MiB"', 'xetFrom = "10MB"')
        tables += virtual("all", "far", "team", deploys="team") + virtual("read", "far")
        proxy = Regproxy(tmp_path_factory.mktemp("virtual") / "regproxy", tables)
        proxy.start()
        every = (Action.READ, Action.WRITE, Action.DELETE)
        (token,) = populate(
            proxy,
            User(name="ann", password=HASH),
            *(Target(name=each.name, repositories=("none",)) for each in OPEN),
            Target(name="ann", repositories=("all", "read", "team", "far"), users={"ann": every}),
            TokenRow(id="ann", subject="ann", scope="applied-permissions/user", issued=1.0),
        )
        yield Server(far, proxy, token)
        proxy.close()


@pytest.fixture(params=ENVIRONMENTS)
def scene(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> ClientScene:
    """One generation of the client, with a token: without one there is nothing here."""
    return ClientScene(server.proxy, tmp_path, request.param, "all", token=server.token)


def test_there_and_back(scene: ClientScene, tmp_path: Path) -> None:
    """A folder goes up and comes back; the addresses that need no token are those of the virtual repository, too."""
    repo = f"{scene.environment}/ours"
    commit = upload(scene, write(tmp_path / "model", CONTENT), repo)
    assert CONTENT == snapshot(scene, repo)
    assert CONTENT == snapshot(scene, repo, revision=commit)
    ways = [
        line for line in scene.proxy.log.splitlines() if repo in line and ("/info/lfs/objects/" in line or "/api/xet/" in line)
    ]
    assert ways
    assert all("/api/huggingfaceml/all/" in line for line in ways)
    assert any(f"/models/{repo}/data/" in line for line in ways)


def test_what_only_the_hub_has(scene: ClientScene, server: Server) -> None:
    """A model and a dataset come through the same endpoint, each file fetched once."""
    assert model_files() == snapshot(scene, MODEL)
    assert dataset_files() == snapshot(scene, DATASET, repo_type="dataset")
    assert 1 == server.hub.bodies(WEIGHTS)
    listed = scene.call(f"found = [each.id for each in HfApi().list_models()]\nfound = found.count({MODEL!r})")
    assert 1 == listed


def test_refusals(scene: ClientScene) -> None:
    """The client raises what it would raise at the hub, and shows why nothing can be uploaded."""
    calls = "raised('acme/gated', 'config.json')", "raised('acme/none', 'config.json')", f"raised({MODEL!r}, 'none.json')"
    found = scene.call(f"{RAISED}\nfound = [{', '.join(calls)}]")
    assert ["GatedRepoError", "RepositoryNotFoundError"] == found[:2]
    assert found[2] in ("EntryNotFoundError", "RemoteEntryNotFoundError")
    scene.key = "read"
    text = scene.call(REFUSED.format(call="HfApi().upload_file(path_or_fileobj=b'a', path_in_repo='a', repo_id='acme/none')"))
    assert "405" in text
    assert "read takes nothing: its configuration has no defaultDeploymentRepo" in text
