"""twine and ``uv publish`` put packages into a local repository; pip and uv install them from it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import frozen

from regproxy.access.first import OPEN
from regproxy.model.access import Action
from regproxy.model.principals import Target, TokenRow, User
from tests.fakes.index_clients import Installer, installed, pip, uv
from tests.fakes.index_files import Built, make_sdist, make_wheel
from tests.fakes.people import HASH, PASSWORD, basic, populate
from tests.fakes.process import Regproxy
from tests.fakes.publishing import Publisher, page, pypi, twine, uv_publish, written
from tests.fakes.relay import Relay

PUBLISHERS = [
    pytest.param(twine, id="twine", marks=pytest.mark.client("twine")),
    pytest.param(uv_publish, id="uv", marks=pytest.mark.client("uv")),
]
INSTALLERS = [
    pytest.param(pip, id="pip", marks=pytest.mark.client("pip")),
    pytest.param(uv, id="uv", marks=pytest.mark.client("uv")),
]
ANN = {"authorization": basic("ann")}


@frozen
class Scene:
    """A server, where ann may publish and bob may only read, and a token of each."""

    proxy: Regproxy
    ann: str
    bob: str

    @property
    def index(self) -> str:
        """What an installer is told."""
        return f"http://ann:{self.ann}@127.0.0.1:{self.proxy.port}/api/pypi/own/simple/"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Nobody but those two may do anything."""
    proxy = Regproxy(tmp_path_factory.mktemp("publishing"), pypi())
    proxy.start()
    granted = {"ann": (Action.READ, Action.WRITE), "bob": (Action.READ,)}
    row = TokenRow(id="ann", subject="ann", scope="applied-permissions/user", issued=1.0)
    tokens = populate(
        proxy,
        *(User(name=name, password=HASH) for name in granted),
        Target(name=OPEN[0].name),
        Target(name="packages", repositories=("own",), users=granted),
        row,
        TokenRow(id="bob", subject="bob", scope="applied-permissions/user", issued=1.0),
    )
    yield Scene(proxy, *tokens)
    proxy.close()


@pytest.mark.parametrize("installer", INSTALLERS)
@pytest.mark.parametrize("publisher", PUBLISHERS)
def test_publish_and_install(
    tmp_path: Path, scene: Scene, publisher: Callable[[], Publisher], installer: Callable[[], Installer]
) -> None:
    """A wheel that needs another one, and two sdists, one of which says its dependencies before it is built."""
    end = f"{publisher.__name__}-{installer.__name__}".replace("_", "-")
    needed = make_wheel(f"needed-{end}", "1.0")
    wheel = make_wheel(f"wheel-{end}", "1.0", requires=[f"needed-{end}"], requires_python=">=3.6")
    sdist, static = make_sdist(f"sdist-{end}", "0.1"), make_sdist(f"static-{end}", "0.1", metadata_version="2.2")
    files = written(tmp_path, needed, wheel, sdist, static)
    ran = publisher().publish(scene.proxy, *files, user="__token__", password=scene.ann)
    assert ran.code == 0, ran.output
    ran = installer().install(scene.index, tmp_path / "target", wheel.project, sdist.project, static.project)
    assert ran.code == 0, ran.output
    modules = [each.project.replace("-", "_") for each in (needed, wheel, sdist, static)]
    assert ["1.0", "1.0", "0.1", "0.1"] == [installed(tmp_path / "target", module)["VERSION"] for module in modules]


@pytest.mark.parametrize("publisher", PUBLISHERS)
def test_who_may_not(tmp_path: Path, scene: Scene, publisher: Callable[[], Publisher]) -> None:
    """A wrong password, and a token without the right: each client shows what is the matter."""
    name = f"forbidden-{publisher.__name__.replace('_', '-')}"
    files = written(tmp_path, make_wheel(name, "1.0"))
    wrong = publisher().publish(scene.proxy, *files, user="ann", password="not this one")
    assert (True, True) == (wrong.code != 0, "401" in wrong.output), wrong.output
    ran = publisher().publish(scene.proxy, *files, user="__token__", password=scene.bob)
    assert (True, True) == (ran.code != 0, "403" in ran.output), ran.output
    assert "bob may not write this in own" in ran.output
    assert page(scene.proxy, name, headers=ANN) is None
    ran = publisher().publish(scene.proxy, *files, user="ann", password=PASSWORD)
    assert ran.code == 0, ran.output


@pytest.mark.parametrize("publisher", PUBLISHERS)
def test_duplicates(tmp_path: Path, scene: Scene, publisher: Callable[[], Publisher]) -> None:
    """The same file is welcome again; another one of its name is not, and each client has a word for that."""
    name = f"double-{publisher.__name__.replace('_', '-')}"
    files = written(tmp_path, make_wheel(name, "1.0"))
    for _ in range(2):
        ran = publisher().publish(scene.proxy, *files, user="ann", password=PASSWORD)
        assert ran.code == 0, ran.output
    if publisher is uv_publish:
        ran = publisher().publish(scene.proxy, *files, user="ann", password=PASSWORD, words=("--check-url", scene.index))
        assert (0, True) == (ran.code, "already exists" in ran.output), ran.output
    files = written(tmp_path, make_wheel(name, "1.0", padding=1))
    ran = publisher().publish(scene.proxy, *files, user="ann", password=PASSWORD)
    assert (True, True) == (ran.code != 0, "File already exists" in ran.output), ran.output


@pytest.mark.parametrize("publisher", PUBLISHERS)
def test_wrong_bytes(tmp_path: Path, scene: Scene, publisher: Callable[[], Publisher]) -> None:
    """A file that changes on the way is refused, and its client says why."""
    name = f"flipped-{publisher.__name__.replace('_', '-')}"
    files = written(tmp_path, make_wheel(name, "1.0"))
    with Relay(scene.proxy.port, changed=(b"FROM = 'wheel'", b"FROM = 'whirl'")) as relay:
        ran = publisher().publish(scene.proxy, *files, user="ann", password=PASSWORD, base_url=relay.url)
    assert (True, True) == (ran.code != 0, "not those that were announced" in ran.output), ran.output
    assert page(scene.proxy, name, headers=ANN) is None


@pytest.mark.parametrize("publisher", PUBLISHERS)
def test_a_cut_upload(tmp_path: Path, scene: Scene, publisher: Callable[[], Publisher]) -> None:
    """Is an error, leaves nothing, and goes through at the next try."""
    built: Built = make_wheel(f"cut-{publisher.__name__.replace('_', '-')}", "1.0", padding=3 << 20)
    files = written(tmp_path, built)
    with Relay(scene.proxy.port, most=1 << 20) as relay:
        ran = publisher().publish(scene.proxy, *files, user="ann", password=PASSWORD, base_url=relay.url)
    assert ran.code != 0
    assert page(scene.proxy, built.project, headers=ANN) is None
    ran = publisher().publish(scene.proxy, *files, user="ann", password=PASSWORD)
    assert ran.code == 0, ran.output
    assert page(scene.proxy, built.project, headers=ANN)["files"][0]["hashes"] == {"sha256": built.sha256}
