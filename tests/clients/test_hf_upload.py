"""The real huggingface_hub, in three generations, puts models into a local repository, and gets them back."""

import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from attrs import frozen

from regproxy.access.first import OPEN
from regproxy.model.access import Action
from regproxy.model.principals import ANONYMOUS, Target, TokenRow, User
from tests.fakes.hub_clients import ClientScene
from tests.fakes.hub_pushing import KEY, hub
from tests.fakes.people import HASH, populate
from tests.fakes.process import Regproxy

ENVIRONMENTS = [pytest.param(name, marks=pytest.mark.client(name)) for name in ("hf-current", "hf-1", "hf-0.36")]


@frozen
class Server:
    """One for all tests here, which have repositories of their own: with parts, and with large files by Xet.

    Attributes:
        token: of one who may only read, and in ``closed`` next to nothing.
    """

    proxy: Regproxy
    token: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server, one hub of which is small, and one closed, and a token."""
    hubs = (hub(KEY, 'uploadPartBytes = "2MiB"', 'xetFrom = "10MB"'), hub("small", 'maxBytes = "2MB"'), hub("closed"))
    proxy = Regproxy(tmp_path_factory.mktemp("hub") / "regproxy", "".join(hubs))
    proxy.start()
    read = (Action.READ,)
    (token,) = populate(
        proxy,
        User(name="eve", password=HASH),
        Target(name=OPEN[0].name, repositories=(KEY, "small"), users={ANONYMOUS: read}),
        Target(name="closed", repositories=("closed",), includes=("models/others/**",), users={"eve": read}),
        TokenRow(id="eve", subject="eve", scope="applied-permissions/user", issued=1.0),
    )
    yield Server(proxy, token)
    proxy.close()


@pytest.fixture(params=ENVIRONMENTS)
def scene(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> ClientScene:
    """One generation of the client."""
    return ClientScene(server.proxy, tmp_path, request.param, KEY)


def name_of(scene: ClientScene, what: str) -> str:
    """A repository of its own."""
    return f"{scene.environment}/{what}"


def files(size: int, seed: str = "") -> dict[str, bytes]:
    """A model: a README, small files, a folder with a space in its name, an empty one, and one large."""
    return {
        "README.md": b"---\nlicense: mit\n---\n# tiny\n",
        "config.json": b'{"model_type": "bert"}\n',
        "empty.txt": b"",
        "onnx/a b.txt": "in a folder, ä\n".encode(),
        "model.safetensors": random.Random(seed).randbytes(1 << 20) * (size >> 20),
    }


def write(folder: Path, content: Mapping[str, bytes]) -> Path:
    """Lay files into a folder."""
    for path, data in content.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def read(folder: Path) -> dict[str, bytes]:
    """All that is in one."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def upload(scene: ClientScene, folder: Path, repo: str, **more: str) -> str:
    """The commit that ``upload_folder`` has made."""
    further = "".join(f", {name}={value!r}" for name, value in more.items())
    return str(scene.call(f"found = HfApi().upload_folder(repo_id={repo!r}, folder_path={str(folder)!r}{further}).oid"))


def snapshot(scene: ClientScene, repo: str, **more: str) -> dict[str, bytes]:
    """All of a repository, got by a client that has nothing of it."""
    further = "".join(f", {name}={value!r}" for name, value in more.items())
    return read(Path(scene.call(f"found = snapshot_download({repo!r}{further})")))


def test_there_and_back(scene: ClientScene, tmp_path: Path) -> None:
    """A folder goes up, once, and comes back: by branch, after a restart by commit, as a dataset under 40 digits.

    The large file goes up by Xet, or in parts where the client knows no better, and comes back by Xet.
    """
    content = files(20 << 20, scene.environment)
    folder, model, rows = write(tmp_path / "model", content), name_of(scene, "tiny"), name_of(scene, "rows")
    commit = upload(scene, folder, model)
    assert upload(scene, folder, model) == commit
    assert snapshot(scene, model) == content
    scene.proxy.restart()
    assert snapshot(scene, model, revision=commit) == content
    assert f"/models/{model}/data/" in scene.proxy.log
    del content["model.safetensors"]
    (folder / "model.safetensors").unlink()
    assert upload(scene, folder, rows, repo_type="dataset", revision="ab" * 20)
    assert snapshot(scene, rows, repo_type="dataset", revision="ab" * 20) == content


@pytest.mark.full
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_large_file(environment: str, twist_regproxy: Callable[..., Regproxy], tmp_path: Path) -> None:
    """Of 200 MB; the server's memory stays where it is."""
    proxy = twist_regproxy(hub())
    scene = ClientScene(proxy, tmp_path, environment, KEY)
    content = files(200 << 20)
    before = proxy.peak_rss()
    upload(scene, write(tmp_path / "model", content), "acme/tiny")
    assert snapshot(scene, "acme/tiny") == content
    assert proxy.peak_rss() - before < 120 << 20


def test_the_life_of_a_model(scene: ClientScene) -> None:
    """Created, changed on a branch, tagged, listed, squashed, deleted; its large file comes in parts."""
    model = name_of(scene, "life")
    code = f"""
import io
api, repo = HfApi(), {model!r}
large = bytes(range(256)) * 20_000
first = str(api.create_repo(repo)) == str(api.create_repo(repo, exist_ok=True))
api.upload_file(path_or_fileobj=io.BytesIO(large), path_in_repo="large.bin", repo_id=repo)
api.create_branch(repo, branch="dev/x")
api.create_tag(repo, tag="v1")
api.create_commit(repo, [CommitOperationAdd("a.txt", b"a"), CommitOperationCopy("large.bin", "copy.bin"),
    CommitOperationDelete("large.bin")], commit_message="three", revision="dev/x", parent_commit=api.model_info(repo).sha)
listed = [sorted(api.list_repo_files(repo, revision=each)) for each in ("main", "dev/x", "v1")]
same = open(hf_hub_download(repo, "copy.bin", revision="dev/x"), "rb").read() == large
info = api.get_paths_info(repo, ["copy.bin"], revision="dev/x", expand=True)[0]
titles = [each.title for each in api.list_repo_commits(repo, revision="dev/x")]
api.super_squash_history(repo, branch="dev/x")
squashed = len(api.list_repo_commits(repo, revision="dev/x"))
api.delete_branch(repo, branch="dev/x")
api.delete_tag(repo, tag="v1")
refs = api.list_repo_refs(repo)
left = [[each.name for each in kind] for kind in (refs.branches, refs.tags)]
models = [each.id for each in api.list_models(search="life", author={scene.environment!r})]
api.delete_repo(repo)
found = [first, listed, same, [info.size, info.lfs is not None, info.last_commit.title], titles, squashed, left, models,
    api.repo_exists(repo), api.whoami()["name"]]
"""
    assert scene.call(code) == [
        True,
        [["large.bin"], ["a.txt", "copy.bin"], ["large.bin"]],
        True,
        [5_120_000, True, "three"],
        ["three", "Upload large.bin with huggingface_hub", "initial commit"],
        1,
        [["main"], []],
        [model],
        False,
        "anonymous",
    ]


REFUSED = """
from huggingface_hub.errors import HfHubHTTPError
try:
    found = str({call})
except HfHubHTTPError as error:
    found = str(error)
"""


def test_without_the_right(scene: ClientScene, server: Server) -> None:
    """A token that may only read hears 403, and why, in the client's own exception; one that may not read, too."""
    repo, folder = name_of(scene, "theirs"), write(scene.folder / "theirs", {"a": b"1"})
    upload(scene, folder, repo)
    scene.token = server.token
    done = scene.command("hf", "upload", repo, folder)
    assert done.returncode != 0
    assert "eve may not write this in hub" in done.stdout + done.stderr
    text = scene.call(REFUSED.format(call="HfApi().upload_file(path_or_fileobj=b'a', path_in_repo='a', repo_id='acme/none')"))
    assert "403" in text
    assert "eve may not write this in hub" in text
    scene.key = "closed"
    for call in ("hf_hub_download('acme/none', 'a')", "snapshot_download('acme/none')"):
        text = scene.call(REFUSED.format(call=call))
        assert "403" in text
        assert "eve may not read this in closed" in text


def test_without_room(scene: ClientScene) -> None:
    """The client shows what the repository may hold, by whichever way the file would go."""
    scene.key = "small"
    call = "HfApi().upload_file(path_or_fileobj=bytes(3_000_000), path_in_repo='a.bin', repo_id='acme/none')"
    text = scene.call(REFUSED.format(call=call))
    assert "413" in text
    assert "repository small may hold 2000000 bytes" in text
