"""pip and uv install through regproxy from an index of our own: pages on one port, files on another one."""

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.index import Index
from tests.fakes.index_clients import Installer, index_of, installed, pip, uv
from tests.fakes.index_files import make_sdist, make_wheel
from tests.fakes.process import Regproxy

Start = Callable[..., Regproxy]
INSTALLERS = [
    pytest.param(pip, id="pip", marks=pytest.mark.client("pip")),
    pytest.param(uv, id="uv", marks=pytest.mark.client("uv")),
]
BIG = 6 << 20


@pytest.fixture
def index() -> Iterator[Index]:
    """An upstream."""
    with Index() as running:
        yield running


@pytest.mark.parametrize("installer", INSTALLERS)
def test_installs_and_installs_again_without_upstream(
    tmp_path: Path, index: Index, twist_regproxy: Start, installer: Callable[[], Installer]
) -> None:
    """Wheels with dependencies and an sdist: each fetched once, all there when upstream is gone, after a restart too."""
    index.add(make_wheel("Demo.Pkg", "1.0", requires=["other>=2"]), metadata=True, requires_python=">=3.6")
    index.add(make_wheel("other", "2.0"), metadata=True)
    index.add(make_sdist("packed", "0.1"))
    proxy = twist_regproxy(index.remote("pypi", "retrievalCachePeriodSecs = 0"))
    for attempt in range(3):
        target = tmp_path / str(attempt)
        ran = installer().install(index_of(proxy), target, "demo_pkg", "packed")
        assert ran.code == 0, ran.output
        assert installed(target, "demo.pkg")["VERSION"] == "1.0"
        assert installed(target, "other")["VERSION"] == "2.0"
        assert installed(target, "packed")["FROM"] == "sdist"
        if attempt == 0:
            fetched = [each.path for each in index.seen if each.at_files and each.method == "GET"]
            assert len(set(fetched)) == len(fetched) == 5
            index.stop()
        else:
            proxy.restart()


@pytest.mark.parametrize("installer", INSTALLERS)
@pytest.mark.parametrize("relative", [False, True])
def test_html_only_upstream(
    tmp_path: Path,
    twist_regproxy: Start,
    installer: Callable[[], Installer],
    relative: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Behind a redirect to another folder, with links relative to where that leads, or on another host."""
    with Index(html_only=True, relative=relative, moved="deeper") as index:
        index.add(make_wheel("demo", "1.0"), metadata=True, requires_python=">=3.6,<99")
        index.add(make_wheel("demo", "2.0"), requires_python=">=99")
        proxy = twist_regproxy(index.remote("pypi"))
        ran = installer().install(index_of(proxy), tmp_path / "target", "demo")
        assert ran.code == 0, ran.output
        assert installed(tmp_path / "target", "demo")["VERSION"] == "1.0"


@pytest.mark.parametrize("installer", INSTALLERS)
def test_yanked(tmp_path: Path, index: Index, twist_regproxy: Start, installer: Callable[[], Installer]) -> None:
    """A yanked version is passed over, unless it is asked for; its reason is shown."""
    index.add(make_wheel("demo", "1.0"))
    index.add(make_wheel("demo", "2.0"), yanked="broken on tuesdays")
    proxy = twist_regproxy(index.remote("pypi"))
    assert installer().install(index_of(proxy), tmp_path / "a", "demo").code == 0
    assert installed(tmp_path / "a", "demo")["VERSION"] == "1.0"
    pinned = installer().install(index_of(proxy), tmp_path / "b", "demo==2.0")
    assert pinned.code == 0, pinned.output
    assert "broken on tuesdays" in pinned.output


@pytest.mark.parametrize("installer", INSTALLERS)
def test_required_hashes(tmp_path: Path, index: Index, twist_regproxy: Start, installer: Callable[[], Installer]) -> None:
    """``--require-hashes`` agrees with what is served, and notices a wrong one."""
    wheel = index.add(make_wheel("demo", "1.0"))
    proxy = twist_regproxy(index.remote("pypi"))
    for at, (sha256, works) in enumerate([(wheel.sha256, True), (hashlib.sha256(b"").hexdigest(), False)]):
        wanted = tmp_path / f"requirements{at}.txt"
        wanted.write_text(f"demo==1.0 --hash=sha256:{sha256}\n")
        ran = installer().install(index_of(proxy), tmp_path / f"target{at}", "--require-hashes", "-r", str(wanted))
        assert (ran.code == 0) is works, ran.output


@pytest.mark.parametrize("installer", INSTALLERS)
def test_wrong_bytes_are_never_installed(
    tmp_path: Path, index: Index, twist_regproxy: Start, installer: Callable[[], Installer]
) -> None:
    """A file that is not what its index says does not arrive, and is not kept."""
    small = index.add(make_wheel("demo", "1.0"))
    big = index.add(make_wheel("large", "1.0", padding=BIG))
    index.flipped |= {small.filename, big.filename}
    proxy = twist_regproxy(index.remote("pypi"))
    for name in ("demo", "large"):
        assert installer().install(index_of(proxy), tmp_path / name, name).code != 0
        assert not (tmp_path / name / f"{name}.py").exists()
    index.flipped.clear()
    ran = installer().install(index_of(proxy), tmp_path / "target", "demo", "large")
    assert ran.code == 0, ran.output


@pytest.mark.client("uv")
def test_uv_reads_the_end_of_a_cold_wheel(tmp_path: Path, index: Index, twist_regproxy: Start) -> None:
    """Without metadata beside the wheel: HEAD, a range of its end, then all of it; upstream sends it once."""
    wheel = index.add(make_wheel("large", "1.0", padding=BIG))
    proxy = twist_regproxy(index.remote("pypi"))
    ran = uv().install(index_of(proxy), tmp_path / "target", "large")
    assert ran.code == 0, ran.output
    proxy.terminate()  # lines of the log are written a moment after the fact, and all of them before it ends
    assert '"method":"HEAD"' in proxy.log
    assert '"status":206' in proxy.log
    whole = [each for each in index.asked(wheel.filename) if "range" not in {name.lower() for name in each.headers}]
    assert len(whole) == 1


@pytest.mark.client("pip")
def test_pip_downloads_an_older_version(tmp_path: Path, index: Index, twist_regproxy: Start) -> None:
    """Byte for byte what upstream has."""
    old, _ = index.add(make_wheel("demo", "1.0")), index.add(make_wheel("demo", "2.0"))
    proxy = twist_regproxy(index.remote("pypi"))
    ran = pip().run("download", "--no-cache-dir", "--no-deps", "-d", str(tmp_path), "-i", index_of(proxy), "demo<2")
    assert ran.code == 0, ran.output
    assert (tmp_path / old.filename).read_bytes() == old.data


@pytest.mark.parametrize("installer", INSTALLERS)
def test_waiting_for_a_file_to_age(
    tmp_path: Path, index: Index, twist_regproxy: Start, installer: Callable[[], Installer]
) -> None:
    """Upload times pass through: what is too new is not installed."""
    index.add(make_wheel("demo", "1.0"), upload_time="2020-01-01T00:00:00Z")
    index.add(make_wheel("demo", "2.0"), upload_time="2026-01-01T00:00:00Z")
    proxy = twist_regproxy(index.remote("pypi"))
    option = "--uploaded-prior-to" if installer is pip else "--exclude-newer"
    if option not in installer().run("install", "--help").output:
        pytest.skip(f"not installed: a client that knows {option}")
    ran = installer().install(index_of(proxy), tmp_path / "target", "demo", option, "2024-01-01T00:00:00Z")
    assert ran.code == 0, ran.output
    assert installed(tmp_path / "target", "demo")["VERSION"] == "1.0"


@pytest.mark.client("uv")
def test_the_reason_is_shown(tmp_path: Path, index: Index, twist_regproxy: Start) -> None:
    """A host that nobody allowed is not dialled, whatever an index says; that is no 404, and clients print why."""
    index.files_name = "localhost"
    wheel = index.add(make_wheel("demo", "1.0"))
    proxy = twist_regproxy(index.remote("pypi").replace(index.files_host, "cdn.example"))
    ran = uv().install(index_of(proxy), tmp_path / "target", "demo", env={"UV_HTTP_RETRIES": "0"})
    assert ran.code != 0
    assert f"502 {index.files_host} is not public, and not among the allowedHosts of this repository" in ran.output
    assert pip().install(index_of(proxy), tmp_path / "target", "demo", "--retries", "0").code != 0
    assert index.asked(wheel.filename) == index.asked(wheel.filename, "HEAD") == []


@pytest.mark.parametrize("installer", INSTALLERS)
def test_upstream_that_swallows_everything(
    tmp_path: Path, index: Index, twist_regproxy: Start, installer: Callable[[], Installer]
) -> None:
    """An index that accepts connections and never answers costs the budget, and no installation."""
    index.add(make_wheel("demo", "1.0"), metadata=True)
    proxy = twist_regproxy(index.remote("pypi", "retrievalCachePeriodSecs = 0"))
    assert installer().install(index_of(proxy), tmp_path / "first", "demo").code == 0
    index.frozen.set()
    began = time.monotonic()
    ran = installer().install(index_of(proxy), tmp_path / "second", "demo")
    assert ran.code == 0, ran.output
    assert time.monotonic() - began < 25
