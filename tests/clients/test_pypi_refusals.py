"""What pip and uv are told when a file is not what its page says, when nothing can be had, and when there is nothing."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import frozen

from tests.fakes.index import Index
from tests.fakes.index_clients import Installer, index_of, pip, uv
from tests.fakes.index_files import Built, make_wheel
from tests.fakes.process import Regproxy

LARGE = 3 << 20

Start = Callable[..., Regproxy]
INSTALLERS = pytest.mark.parametrize(
    "installer",
    [
        pytest.param(pip, id="pip", marks=pytest.mark.client("pip")),
        pytest.param(uv, id="uv", marks=pytest.mark.client("uv")),
    ],
)


@frozen
class Reply:
    """Status, and the reason that pip and uv show."""

    status: int
    reason: str


@pytest.fixture
def index() -> Iterator[Index]:
    """An upstream."""
    with Index() as running:
        yield running


def ask(url: str) -> Reply:
    """GET; ``IncompleteRead`` or ``ConnectionError`` for a body that was cut."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            answer.read()
            return Reply(answer.status, answer.reason)
    except urllib.error.HTTPError as error:
        return Reply(error.code, error.reason)


def address(proxy: Regproxy, built: Built) -> str:
    """Of a file, as its page has it."""
    return f"{proxy.base_url}/api/pypi/pypi/packages/{built.project}/1.0/{built.sha256}/{built.filename}"


def is_stored(proxy: Regproxy, built: Built) -> bool:
    """Whether the right bytes of a file, or any of its length, are among the blobs."""
    blobs = [path for path in (proxy.data_dir / "store" / "blobs").rglob("*") if path.is_file()]
    return any(path.name == built.sha256 or path.stat().st_size == len(built.data) for path in blobs)


def test_wrong_small_file(index: Index, twist_regproxy: Start) -> None:
    """What is short enough to be checked first is a clean error, and is not kept."""
    built = index.add(make_wheel("demo", "1.0"))
    index.flipped.add(built.filename)
    proxy = twist_regproxy(index.remote("pypi"))
    assert ask(address(proxy, built)).status == 502
    assert not is_stored(proxy, built)
    index.flipped.clear()
    assert ask(address(proxy, built)).status == 200
    assert is_stored(proxy, built)


def test_wrong_large_file(index: Index, twist_regproxy: Start) -> None:
    """A longer one is cut before its end, and is not kept."""
    built = index.add(make_wheel("demo", "1.0", padding=LARGE))
    index.flipped.add(built.filename)
    proxy = twist_regproxy(index.remote("pypi"))
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        ask(address(proxy, built))
    assert not is_stored(proxy, built)
    index.flipped.clear()
    assert ask(address(proxy, built)).status == 200


@INSTALLERS
def test_wrong_metadata(tmp_path: Path, index: Index, twist_regproxy: Start, installer: Callable[[], Installer]) -> None:
    """Metadata beside a wheel has a hash of its own, and is held to it."""
    built = index.add(make_wheel("demo", "1.0"), metadata=True)
    index.flipped.add(f"{built.filename}.metadata")
    proxy = twist_regproxy(index.remote("pypi"))
    assert ask(f"{address(proxy, built)}.metadata").status == 502
    index.flipped.clear()
    ran = installer().install(index_of(proxy), tmp_path / "target", "demo")
    assert ran.code == 0, ran.output


@INSTALLERS
def test_nothing_cached_and_no_index(
    tmp_path: Path, index: Index, twist_regproxy: Start, installer: Callable[[], Installer]
) -> None:
    """An outage is an outage, for pages and for files, never a thing that does not exist; the client says so."""
    built = index.add(make_wheel("demo", "1.0"), metadata=True)
    proxy = twist_regproxy(index.remote("pypi"))
    index.stop()
    for url in (address(proxy, built), f"{index_of(proxy)}demo/"):
        reply = ask(url)
        assert reply.status == 503
        assert "127.0.0.1" in reply.reason
    index.start()
    proxy.restart()
    assert ask(f"{index_of(proxy)}demo/").status == 200
    index.stop()
    retries = {"UV_HTTP_RETRIES": "0"} if installer is uv else {}
    words = ("--retries", "0") if installer is pip else ()
    ran = installer().install(index_of(proxy), tmp_path / "target", "demo", *words, env=retries)
    assert ran.code != 0
    assert "503" in ran.output


def test_what_does_not_exist(index: Index, twist_regproxy: Start) -> None:
    """Upstream's 404 of a project, and files that no page names."""
    index.add(make_wheel("demo", "1.0"))
    proxy = twist_regproxy(index.remote("pypi"))
    for path in ("simple/nothing/", "packages/nothing/1.0/-/nothing-1.0.tar.gz", "packages/demo/3.0/-/demo-3.0.tar.gz"):
        assert ask(f"{proxy.base_url}/api/pypi/pypi/{path}").status == 404, path
