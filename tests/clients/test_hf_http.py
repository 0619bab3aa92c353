"""regproxy in front of a hub, seen by plain HTTP: headers and answers that no client shows."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path

import pytest
from attrs import frozen

from tests.fakes.hub import Hub
from tests.fakes.hub_clients import DATASET, KEY, LARGE, MODEL, WEIGHTS, HubScene, make_hub_scene, model_files
from tests.fakes.process import Regproxy


@frozen
class Reply:
    """What came back, whatever the status."""

    status: int
    headers: Message
    body: bytes

    @property
    def code(self) -> str | None:
        """Of an error."""
        return self.headers["X-Error-Code"]


@pytest.fixture
def hub() -> Iterator[Hub]:
    """An upstream."""
    with Hub() as running:
        yield running


@pytest.fixture
def scene(hub: Hub, twist_regproxy: Callable[..., Regproxy], tmp_path: Path) -> HubScene:
    """Hub and proxy; no client."""
    return make_hub_scene(twist_regproxy, hub, tmp_path, "")


def ask(scene: HubScene, path: str, method: str = "GET", data: bytes | None = None, **headers: str) -> Reply:
    """Ask below the endpoint, or at an absolute URL."""
    url = path if path.startswith("http") else f"{scene.endpoint}/{path}"
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, data, fields, method=method), timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return Reply(answer.status, answer.headers, answer.read())


def test_head_of_a_cold_large_file(scene: HubScene) -> None:
    """All that a client wants to know, from one HEAD of the hub; the CDN is not asked."""
    reply = ask(scene, f"{MODEL}/resolve/main/{WEIGHTS}", "HEAD")
    names = ("X-Repo-Commit", "X-Linked-Size", "Content-Length", "Accept-Ranges", "X-Xet-Hash", "Link", "Content-Encoding")
    expected = [scene.commits[MODEL], str(LARGE), str(LARGE), "bytes", None, None, None]
    assert (200, expected) == (reply.status, [reply.headers[name] for name in names])
    assert reply.headers["ETag"] == reply.headers["X-Linked-ETag"]
    assert [(each.server, each.method) for each in scene.hub.log] == [("hub", "GET"), ("hub", "HEAD")]


def test_head_and_get_agree(scene: HubScene) -> None:
    """Of a small file, whose redirect has to be followed; cold, filled and by the node's own path."""
    path = f"{MODEL}/resolve/main/config.json"
    node = f"{scene.proxy.base_url}/{KEY}/models/{MODEL}/{scene.commits[MODEL]}/config.json"
    replies = [ask(scene, path, "HEAD"), ask(scene, path), ask(scene, path, "HEAD"), ask(scene, node)]
    names = ("X-Repo-Commit", "ETag", "Content-Length", "Content-Type", "Accept-Ranges")
    assert len({tuple(reply.headers[name] for name in names) for reply in replies}) == 1
    assert [reply.body for reply in replies] == [b"", model_files()["config.json"], b"", model_files()["config.json"]]
    assert scene.hub.bodies("config.json") == 1


def test_ranges(scene: HubScene) -> None:
    """206 with the headers of the whole; 416 with its size."""
    path = f"{MODEL}/resolve/{scene.commits[MODEL]}/{WEIGHTS}"
    data = model_files()[WEIGHTS]
    for wanted, expected in {"1000-1999": data[1000:2000], "-10": data[-10:], f"{LARGE - 5}-": data[-5:]}.items():
        reply = ask(scene, path, Range=f"bytes={wanted}")
        assert (206, expected, scene.commits[MODEL]) == (reply.status, reply.body, reply.headers["X-Repo-Commit"])
    reply = ask(scene, path, Range=f"bytes={LARGE}-")
    assert (416, f"bytes */{LARGE}") == (reply.status, reply.headers["Content-Range"])
    assert reply.code == "RangeNotSatisfiable"
    assert data == ask(scene, path).body
    assert scene.hub.bodies(WEIGHTS, 200) == 1
    assert scene.hub.bodies(WEIGHTS, 206) <= 1  # where the first connection is still far from the end, a second one brings it


def test_pages_of_a_tree(scene: HubScene) -> None:
    """The links lead here, to the commit, also when the branch has moved on meanwhile."""
    first = ask(scene, f"api/models/{MODEL}/tree/main?recursive=True&expand=False")
    scene.hub.repo("models", MODEL).commit({"other": b"x"})
    found, link = json.loads(first.body), first.headers["Link"]
    start = f"<{scene.endpoint}/api/models/{MODEL}/tree/{scene.commits[MODEL]}?"
    while link:
        assert link.startswith(start)
        page = ask(scene, link[1 : link.index(">")])
        found, link = [*found, *json.loads(page.body)], page.headers["Link"]
    assert sorted([*model_files(), "onnx"]) == sorted(entry["path"] for entry in found)
    assert all("xetHash" not in entry for entry in found)


def test_paths_info(scene: HubScene) -> None:
    """Forms and JSON; what is not there is left out; upstream need not be there the second time."""
    path = f"api/datasets/{DATASET}/paths-info/main"
    form = urllib.parse.urlencode([("paths", "data"), ("paths", "data/train.csv"), ("paths", "none")]).encode()
    reply = ask(scene, path, "POST", form)
    assert [each["path"] for each in json.loads(reply.body)] == ["data", "data/train.csv"]
    scene.hub.stop()
    reply = ask(scene, path, "POST", b'{"paths": ["README.md"]}', Content_Type="application/json")
    assert [each["path"] for each in json.loads(reply.body)] == ["README.md"]
    for body in (b"nonsense", b'{"paths":' + b"[" * 100_000 + b"]" * 100_000 + b"}"):
        assert ask(scene, path, "POST", body, Content_Type="application/json").status == 400
    assert ask(scene, path).status == 405


def test_paths_info_expanded(scene: HubScene) -> None:
    """Of the folders in question, what changes included; a folder that is not there is left out."""
    form = b"paths=onnx/a%20b.txt&paths=config.json&paths=none/x&expand=True"
    found = json.loads(ask(scene, f"api/models/{MODEL}/paths-info/main", "POST", form).body)
    assert [each["path"] for each in found] == ["config.json", "onnx/a b.txt"]
    assert {each["lastCommit"]["id"] for each in found} == {scene.commits[MODEL]}
    names = [f"{number}/x" for number in range(30)]
    many = json.dumps({"paths": [*names, "config.json"], "expand": True}).encode()
    found = json.loads(ask(scene, f"api/models/{MODEL}/paths-info/main", "POST", many, Content_Type="application/json").body)
    assert [(each["path"], "lastCommit" in each) for each in found] == [("config.json", True)]


def test_auth_check(scene: HubScene) -> None:
    """Upstream says whether it may be read, also from memory."""
    scene.hub.repo("models", "acme/gated", gated=True).commit({"a": b"a"})
    replies = [ask(scene, f"api/models/{name}/auth-check") for name in (MODEL, "acme/gated", "acme/none")]
    assert [(reply.status, reply.code) for reply in replies] == [(200, None), (403, "GatedRepo"), (403, "RepoNotFound")]
    assert json.loads(replies[0].body) == {}
    scene.hub.stop()
    assert ask(scene, f"api/models/{MODEL}/auth-check").status == 200


def test_answers_of_our_own(scene: HubScene) -> None:
    """Nobody upstream hears of these."""
    model = f"api/models/{MODEL}"
    for method, path, expected in (
        ("GET", "api/whoami-v2", (401, "Unauthorized")),
        ("POST", "api/validate-yaml", (200, None)),
        ("GET", "api/agent-harnesses", (404, "NotFound")),
        ("GET", f"{model}/xet-read-token/main", (404, "NotFound")),
        ("GET", f"{model}/xet-write-token/main", (403, "ReadOnly")),
        ("POST", "api/repos/create", (403, "ReadOnly")),
        ("POST", f"{model}/commit/main", (403, "ReadOnly")),
        ("POST", f"{MODEL}.git/info/lfs/objects/batch", (403, "ReadOnly")),
        ("DELETE", "api/repos/delete", (403, "ReadOnly")),
    ):
        reply = ask(scene, path, method, b"{}" if method == "POST" else None)
        assert expected == (reply.status, reply.code), path
        assert json.loads(reply.body) is not None
    assert scene.hub.log == []


def test_refusals_of_upstream(scene: HubScene) -> None:
    """With the headers that clients decide by."""
    reply = ask(scene, f"{MODEL}/resolve/main/none", "HEAD")
    assert (404, "EntryNotFound", scene.commits[MODEL]) == (reply.status, reply.code, reply.headers["X-Repo-Commit"])
    reply = ask(scene, f"api/models/{MODEL}/revision/none")
    assert (404, "RevisionNotFound") == (reply.status, reply.code)
    scene.hub.api_status = 429
    reply = ask(scene, f"{DATASET}/resolve/main/README.md")
    assert (429, "5") == (reply.status, reply.headers["Retry-After"])
    assert ask(scene, f"api/models/{MODEL}/tree/main?recursive=true").status == 429


def test_absent_file_in_an_outage(scene: HubScene) -> None:
    """The commit's tree knows; where it was never asked for, nobody does."""
    ask(scene, f"api/models/{MODEL}/paths-info/main", "POST", b"paths=none")
    ask(scene, f"api/datasets/{DATASET}/revision/main")
    scene.hub.stop()
    reply = ask(scene, f"{MODEL}/resolve/main/none", "HEAD")
    assert (404, "EntryNotFound", scene.commits[MODEL]) == (reply.status, reply.code, reply.headers["X-Repo-Commit"])
    assert ask(scene, f"{MODEL}/resolve/main/config.json", "HEAD").status == 503
    assert ask(scene, f"{DATASET}/resolve/main/none", "HEAD").status == 503
