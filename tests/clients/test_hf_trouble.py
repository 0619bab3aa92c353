"""The real huggingface_hub through regproxy in front of a hub: wrong bytes, refusals, ranges, the ``hf`` program."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes.hub import Hub
from tests.fakes.hub_clients import LARGE, MODEL, WEIGHTS, HubScene, make_hub_scene, model_files
from tests.fakes.process import Regproxy
from tests.fakes.relay import Relay

CURRENT = pytest.mark.client("hf-current")
ENVIRONMENTS = [pytest.param(name, marks=pytest.mark.client(name)) for name in ("hf-current", "hf-1", "hf-0.36")]
RAISED = """
def raised(*words, **more):
    try:
        return hf_hub_download(*words, **more)
    except Exception as error:
        return type(error).__name__
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    """An upstream."""
    with Hub() as running:
        yield running


@pytest.fixture(params=ENVIRONMENTS)
def each(request: pytest.FixtureRequest, hub: Hub, twist_regproxy: Callable[..., Regproxy], tmp_path: Path) -> HubScene:
    """Everything, with one generation of the client after the other."""
    return make_hub_scene(twist_regproxy, hub, tmp_path, request.param)


@pytest.fixture
def scene(hub: Hub, twist_regproxy: Callable[..., Regproxy], tmp_path: Path) -> HubScene:
    """Everything, with the current client."""
    return make_hub_scene(twist_regproxy, hub, tmp_path, "hf-current")


def stored(scene: HubScene) -> list[Path]:
    """The blobs that the proxy holds."""
    return [path for path in (scene.proxy.data_dir / "blobs").rglob("*") if path.is_file()]


@pytest.mark.parametrize("path", [WEIGHTS, "config.json"])
def test_flipped_bit(each: HubScene, path: str) -> None:
    """A file that is not what the hub calls it never arrives, is not kept, and is right as soon as upstream is."""
    each.hub.flipped.add(path)
    done = each.command("python", "-c", f"from huggingface_hub import *; hf_hub_download({MODEL!r}, {path!r})")
    assert done.returncode != 0
    assert [file for file in each.folder.glob("home-*/hub/**/snapshots/**/*") if file.is_file()] == []
    sizes = {blob.stat().st_size for blob in stored(each)}
    assert len(model_files()[path]) not in sizes
    each.hub.flipped.clear()
    found = each.call(f"found = open(hf_hub_download({MODEL!r}, {path!r}), 'rb').read().hex()[:100000]")
    assert model_files()[path].hex()[:100000] == found


def test_wrong_part_of_a_file_is_not_completed(each: HubScene) -> None:
    """A client that kept the wrong bytes which it was sent does not get the right end to them, but all of them anew."""
    each.hub.flipped.add(WEIGHTS)
    each.hub.last_piece_seconds = 1.0
    program = ("python", "-c", f"from huggingface_hub import *; print(hf_hub_download({MODEL!r}, {WEIGHTS!r}))")
    assert each.command(*program).returncode != 0
    each.hub.flipped.clear()
    done = each.command(*program, again=True)
    assert done.returncode == 0, done.stderr
    assert model_files()[WEIGHTS] == Path(done.stdout.splitlines()[-1]).read_bytes()


@CURRENT
def test_resumed_by_range(scene: HubScene) -> None:
    """Upstream is mended while the client, which sees a body that is too short, resumes: it gets all bytes anew."""
    scene.hub.flipped.add(WEIGHTS)
    scene.hub.last_piece_seconds = 1.0
    program = ("python", "-c", f"from huggingface_hub import *; print(hf_hub_download({MODEL!r}, {WEIGHTS!r}))")
    with Relay(scene.proxy.port) as relay, ThreadPoolExecutor(1) as pool:
        scene.front = relay.url
        running = pool.submit(scene.command, *program)
        while not scene.hub.bodies(WEIGHTS) and not running.done():
            time.sleep(0.01)
        scene.hub.flipped.clear()
        done = running.result()
    assert done.returncode == 0, done.stderr
    assert b"range: bytes=" in bytes(relay.said).lower()
    assert model_files()[WEIGHTS] == Path(done.stdout.splitlines()[-1]).read_bytes()
    assert scene.hub.bodies(WEIGHTS) == 2


@CURRENT
def test_range_of_a_cold_file(scene: HubScene) -> None:
    """HfFileSystem reads a part without a HEAD; the whole is fetched once, and the part beside it where it is still far off."""
    code = f"fs = HfFileSystem()\nwith fs.open('{MODEL}/{WEIGHTS}', block_size=1 << 16) as file:\n    file.seek(20_000_000)\n"
    data = model_files()[WEIGHTS]
    assert data[20_000_000:20_001_000].hex() == scene.call(code + "    found = file.read(1000).hex()")
    assert scene.call(f"found = HfFileSystem().info('{MODEL}/{WEIGHTS}')['size']") == LARGE
    assert data.hex()[:1000] == scene.call(f"found = open(hf_hub_download({MODEL!r}, {WEIGHTS!r}), 'rb').read().hex()[:1000]")
    assert scene.hub.bodies(WEIGHTS, 200) == 1
    assert scene.hub.bodies(WEIGHTS, 206) <= 1


@CURRENT
def test_program(scene: HubScene) -> None:
    """``hf download``."""
    place = scene.folder / "here"
    done = scene.command("hf", "download", MODEL, "config.json", WEIGHTS, "--local-dir", place)
    assert done.returncode == 0, done.stderr
    files = model_files()
    assert {name: files[name] for name in ("config.json", WEIGHTS)} == {
        name: (place / name).read_bytes() for name in ("config.json", WEIGHTS)
    }


def test_refusals(each: HubScene) -> None:
    """The client raises what it would raise at the hub."""
    each.hub.repo("models", "acme/gated", gated=True).commit({"config.json": b"{}"})
    calls = (
        "raised('acme/gated', 'config.json')",
        "raised('acme/none', 'config.json')",
        f"raised({MODEL!r}, 'config.json', revision='none')",
        f"raised({MODEL!r}, 'none.json')",
    )
    found = each.call(f"{RAISED}\nfound = [{', '.join(calls)}]")
    assert found[:3] == ["GatedRepoError", "RepositoryNotFoundError", "RevisionNotFoundError"]
    assert found[3] in ("EntryNotFoundError", "RemoteEntryNotFoundError")


@CURRENT
def test_upload_is_refused(scene: HubScene) -> None:
    """With words that the user sees."""
    code = f"HfApi().upload_file(path_or_fileobj=b'x', path_in_repo='x', repo_id={MODEL!r})"
    done = scene.command("python", "-c", f"from huggingface_hub import *; {code}")
    assert done.returncode != 0
    assert "read only" in done.stderr


@CURRENT
def test_nothing_cached_and_no_hub(scene: HubScene) -> None:
    """An outage is an outage, never a 404."""
    scene.hub.stop()
    for path in (f"{MODEL}/resolve/main/config.json", f"api/models/{MODEL}", f"{MODEL}/resolve/{'a' * 40}/config.json"):
        with pytest.raises(urllib.error.HTTPError) as trouble:
            urllib.request.urlopen(f"{scene.endpoint}/{path}", timeout=20)
        assert trouble.value.code == 503
        assert trouble.value.headers["X-Error-Code"] == "Unavailable"
        trouble.value.close()
