"""The real huggingface_hub, in three generations, through regproxy in front of a hub: downloads, and what it asks around them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.hub import Hub
from tests.fakes.hub_clients import DATASET, LARGE, MODEL, WEIGHTS, HubScene, dataset_files, make_hub_scene, model_files
from tests.fakes.process import Regproxy

ENVIRONMENTS = [pytest.param(name, marks=pytest.mark.client(name)) for name in ("hf-current", "hf-1", "hf-0.36")]
TOKEN = 'token = "hf_of_the_repository"'


@pytest.fixture
def hub() -> Iterator[Hub]:
    """An upstream."""
    with Hub() as running:
        yield running


@pytest.fixture(params=ENVIRONMENTS)
def scene(request: pytest.FixtureRequest, hub: Hub, twist_regproxy: Callable[..., Regproxy], tmp_path: Path) -> HubScene:
    """Everything, with one generation of the client."""
    return make_hub_scene(twist_regproxy, hub, tmp_path, request.param, TOKEN)


def test_snapshots(scene: HubScene) -> None:
    """Model by branch and by commit, dataset: the right bytes, each fetched once, nothing of Xet, no token of the client's."""
    assert model_files() == scene.snapshot(MODEL)
    assert model_files() == scene.snapshot(MODEL, revision=scene.commits[MODEL])
    assert dataset_files() == scene.snapshot(DATASET, kind="dataset")
    once = {*model_files(), "data/train.csv"} - {"README.md"}
    assert dict.fromkeys(once, 1) == {path: scene.hub.bodies(path) for path in once}
    assert scene.hub.bodies("README.md") == 2
    assert scene.hub.xet == []
    sent = {(each.server, each.authorization) for each in scene.hub.log}
    assert sent == {("hub", "Bearer hf_of_the_repository"), ("cdn", None)}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_without_an_upstream(environment: str, hub: Hub, twist_regproxy: Callable[..., Regproxy], tmp_path: Path) -> None:
    """A client with nothing cached gets it all from what is stale: upstream swallows connections, then refuses them."""
    scene = make_hub_scene(twist_regproxy, hub, tmp_path, environment, "retrievalCachePeriodSecs = 0")
    assert model_files() == scene.snapshot(MODEL)
    hub.freeze()
    assert model_files() == scene.snapshot(MODEL)
    hub.stop()
    assert model_files() == scene.snapshot(MODEL)
    assert model_files() == scene.snapshot(MODEL, revision=scene.commits[MODEL])


def test_questions(scene: HubScene) -> None:
    """What lies in a repository, what is known of it, and what is not there."""
    asked = "[each.path for each in HfApi().list_repo_tree"
    assert sorted([*model_files(), "onnx"]) == sorted(scene.call(f"found = {asked}({MODEL!r}, recursive=True)]"))
    assert ["onnx/a b.txt"] == scene.call(f"found = {asked}({MODEL!r}, 'onnx')]")
    files = f"[file_exists({MODEL!r}, each) for each in ('config.json', 'none.json')]"
    exists = f"{files} + [repo_exists({MODEL!r}), repo_exists('no/no')]"
    assert [True, False, True, False] == scene.call(f"found = {exists}")
    info = f"HfApi().get_paths_info({MODEL!r}, ['onnx', {WEIGHTS!r}, 'none'])"
    sizes = f"{{each.path: getattr(each, 'size', None) for each in {info}}}"
    assert {"onnx": None, WEIGHTS: LARGE} == scene.call(f"found = {sizes}")
    commits = f"[each.target_commit for each in HfApi().list_repo_refs({MODEL!r}).branches]"
    assert [scene.commits[MODEL]] == scene.call(f"found = {commits}")
    assert [MODEL] == scene.call("found = [each.id for each in HfApi().list_models(search='tiny')]")
    assert scene.call("found = HfApi().whoami()['name']") == "regproxy"
    assert scene.hub.asked("whoami") == []
