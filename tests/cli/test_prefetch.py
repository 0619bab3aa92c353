"""``regproxy prefetch`` as operators run it: what it says is there is served when upstream is gone."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from regproxy.access.first import ADMIN, FILE
from regproxy.cli.asking import ask as control
from regproxy.cli.main import main
from regproxy.control import SOCKET
from tests.fakes.deploying import Answer, ask
from tests.fakes.files import remote, serving
from tests.fakes.hub import Hub
from tests.fakes.index import Index
from tests.fakes.index_files import make_sdist, make_wheel
from tests.fakes.people import basic
from tests.fakes.process import Regproxy
from tests.fakes.registry import Registry
from tests.fakes.registry_image import build_image
from tests.wire.test_life import is_listening, wait_until

Start = Callable[..., Regproxy]

CLOSED = "[access]\nanonymous = false\n"


def prefetch(regproxy: Regproxy, *words: str, seconds: str = "") -> tuple[int, str, str]:
    """Status, stdout, stderr."""
    wait_until(lambda: is_listening(regproxy.data_dir / SOCKET))
    done = CliRunner().invoke(main, ["prefetch", *words, "--data-dir", str(regproxy.data_dir)])
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def index() -> Iterator[Index]:
    """A package index."""
    with Index() as running:
        yield running


def look(regproxy: Regproxy, path: str) -> Answer:
    """As the administrator."""
    return ask(regproxy, "GET", path, authorization=basic(ADMIN, (regproxy.data_dir / FILE).read_text().strip()))


def test_packages(tmp_path: Path, index: Index, twist_regproxy: Start) -> None:
    """The files that fit, with what they depend on, bounded by what was asked for; twice costs nothing."""
    index.add(make_wheel("app", "1.0", requires=["needed>=1", "absent; python_version < '3'", "more[extra]"]), metadata=True)
    index.add(make_wheel("app", "2.0b1"), metadata=True)
    index.add(make_wheel("needed", "1.0"), metadata=True)
    index.add(make_wheel("needed", "2.0"), metadata=True)
    index.add(make_wheel("more", "1.0", requires=["packed; extra == 'extra'", "other; extra == 'no'"]), metadata=True)
    index.add(make_sdist("packed", "0.1"))
    index.add(make_wheel("new", "2.0"), requires_python=">=4")
    index.add(make_wheel("new", "1.0"), yanked="bad")
    regproxy = twist_regproxy(CLOSED + index.remote("pypi"), server="workers = 2\n")
    wanted = tmp_path / "wanted.txt"
    wanted.write_text("app \\\n  --hash=sha256:00  # a comment\nneeded==1.0\n-e .\n\n--index-url http://nowhere\n")
    code, text, said = prefetch(regproxy, "packages", "pypi", "-r", str(wanted), "--json")
    summary = json.loads(text)
    assert (code, said) == (1, "-e .: not a requirement that an index can fulfil\n")
    assert (summary["fetched"], summary["held"]) == (4, 0)
    code, text, said = prefetch(regproxy, "packages", "pypi", "app", "needed==1.0")
    assert (code, text, said) == (0, "0 fetched (0 B), 4 were there\n", "")
    code, _, said = prefetch(regproxy, "packages", "pypi", "new", "none", "app>9", "--no-deps")
    assert (code, [line.partition(":")[0] for line in sorted(said.splitlines())]) == (1, ["app>9", "new", "none"])
    index.stop()
    held = look(regproxy, "/api/storage/pypi-cache?list&deep=1").json["files"]
    names = {each["uri"].rpartition("/")[2] for each in held}
    assert {"app-1.0-py3-none-any.whl", "needed-1.0-py3-none-any.whl", "more-1.0-py3-none-any.whl", "packed-0.1.tar.gz"} <= names
    assert names.isdisjoint({"needed-2.0-py3-none-any.whl", "app-2.0b1-py3-none-any.whl"})


def test_another_platform(index: Index, twist_regproxy: Start) -> None:
    """Wheels of the platform that was named, or source where there is none for it."""
    built = make_wheel("fast", "1.0")
    for tags in ("cp312-cp312-manylinux_2_17_aarch64.manylinux2014_aarch64", "cp312-cp312-win_amd64", "cp311-cp311-win_amd64"):
        index.add(type(built)(built.project, f"fast-1.0-{tags}.whl", built.data, built.metadata))
    index.add(make_sdist("fast", "1.0"))
    regproxy = twist_regproxy(index.remote("pypi"))
    asked = ["packages", "pypi", "fast", "--python", "3.12"]
    assert prefetch(regproxy, *asked, "--platform", "manylinux_2_28_aarch64")[0] == 0
    assert prefetch(regproxy, *asked, "--platform", "macosx_14_0_arm64")[0] == 0
    assert prefetch(regproxy, *asked, "--platform", "nonsense")[0] == 2
    fetched = {each.path.rpartition("/")[2] for each in index.seen if each.at_files and each.method == "GET"}
    assert fetched == {"fast-1.0-cp312-cp312-manylinux_2_17_aarch64.manylinux2014_aarch64.whl", "fast-1.0.tar.gz"}


def test_models(twist_regproxy: Start) -> None:
    """All files of a revision, or some; what is fetched is served when the hub is gone."""
    files = {"config.json": b"{}", "a b/weights.safetensors": b"w" * 300_000, "other.bin": b"o" * 9}
    with Hub() as hub:
        hub.repo("models", "acme/tiny").commit(files)
        hub.repo("datasets", "acme/rows").commit({"data/x.csv": b"1"})
        regproxy = twist_regproxy(hub.remote("hf"))
        code, text, said = prefetch(regproxy, "model", "hf", "acme/tiny", "--exclude", "*.bin")
        assert (code, text, said) == (0, "2 fetched (293.0 KiB), 0 were there\n", "")
        assert prefetch(regproxy, "model", "hf", "acme/rows", "--type", "dataset")[0] == 0
        code, _, said = prefetch(regproxy, "model", "hf", "acme/none")
        assert (code, said.startswith("acme/none: /api/huggingfaceml/hf/api/models/acme/none/revision/main: 4")) == (1, True)
    for path in ("acme/tiny/resolve/main/a%20b/weights.safetensors", "datasets/acme/rows/resolve/main/data/x.csv"):
        assert ask(regproxy, "GET", f"/api/huggingfaceml/hf/{path}").status == 200


@pytest.mark.client("docker-registry")
def test_images(tmp_path: Path, twist_regproxy: Start) -> None:
    """Every platform, or one; blobs that are there are not fetched again."""
    with Registry(tmp_path / "registry") as registry:
        image = build_image()
        registry.push("library/app", "1", image)
        regproxy = twist_regproxy(CLOSED + registry.remote("hub"))
        code, text, said = prefetch(regproxy, "image", "hub", "library/app:1", "--platform", "linux/arm64", "--json")
        assert (code, said) == (0, ""), text
        one = json.loads(text)
        code, text, said = prefetch(regproxy, "image", "hub", "library/app:1", "--json")
        both = json.loads(text)
        assert (code, one["fetched"] < one["fetched"] + both["fetched"], both["held"]) == (0, True, one["fetched"])
        code, _, said = prefetch(regproxy, "image", "hub", "library/app:1", "library/none", "--platform", "plan9/mips")
        assert (code, "not there for plan9/mips" in said, "library/none: " in said) == (1, True, True)
    for path in ("manifests/1", *(f"blobs/{digest}" for digest in image.blobs)):
        assert look(regproxy, f"/v2/hub/library/app/{path}").status == 200


def test_files_elsewhere_and_nobody(twist_regproxy: Start, tmp_path: Path) -> None:
    """By a URL as anybody, and without a server to ask."""
    with serving({"/x": b"x" * 5000}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        code, text, _ = prefetch(regproxy, "file", "files", "x", "--url", regproxy.base_url)
        assert (code, text) == (0, "1 fetched (4.9 KiB), 0 were there\n")
        code, text, said = prefetch(regproxy, "file", "files", "/x", "none")
        assert (code, text) == (1, "0 fetched (0 B), 1 were there, 1 failed\n")
        assert said.startswith("none: /files/none: 404 ")
        assert control(regproxy.data_dir, "/token/list", "", list[object]) == []
    done = CliRunner().invoke(main, ["prefetch", "file", "files", "x", "--data-dir", str(tmp_path)])
    assert (done.exit_code, "no regproxy to ask" in done.stderr) == (1, True)
    done = CliRunner().invoke(main, ["prefetch", "packages", "files", "--data-dir", str(tmp_path)])
    assert done.exit_code == 2
