"""pip, uv and twine at a virtual index: what is private stays private, one index URL is enough, uploads find their place."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from attrs import frozen

from regproxy.access.first import OPEN
from regproxy.model.access import Action
from regproxy.model.principals import ANONYMOUS, Target, User
from tests.fakes.index import Index
from tests.fakes.index_clients import Installer, index_of, installed, pip, uv
from tests.fakes.index_files import make_wheel
from tests.fakes.people import HASH, PASSWORD, populate
from tests.fakes.process import Regproxy
from tests.fakes.publishing import Publisher, pypi, twine, uv_publish, written
from tests.wire.test_virtual_pypi import virtual

CLIENTS = [
    pytest.param(pip, twine, id="pip-twine", marks=pytest.mark.client("pip", "twine")),
    pytest.param(uv, uv_publish, id="uv", marks=pytest.mark.client("uv")),
]


@frozen
class Scene:
    """A server, and what is upstream of it."""

    proxy: Regproxy
    index: Index

    @property
    def ann(self) -> str:
        """The index, as ann is told of it."""
        return f"http://ann:{quote(PASSWORD)}@127.0.0.1:{self.proxy.port}/api/pypi/packages/simple/"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A local repository that is ann's and the remote in front of an index, as one."""
    with Index() as index:
        tables = pypi(), index.remote("public"), virtual("packages", "public", "own", deploys="own")
        proxy = Regproxy(tmp_path_factory.mktemp("packages"), "\n".join(tables))
        proxy.start()
        try:
            own: dict[str, tuple[Action, ...]] = {"ann": (Action.READ, Action.WRITE)}
            populate(
                proxy,
                User(name="ann", password=HASH),
                Target(name=OPEN[0].name, repositories=("public", "packages"), users={ANONYMOUS: (Action.READ,)}),
                Target(name="own", repositories=("own",), users=own),
            )
            yield Scene(proxy, index)
        finally:
            proxy.close()


@pytest.mark.parametrize(("installer", "publisher"), CLIENTS)
def test_private_and_public(
    tmp_path: Path, scene: Scene, installer: Callable[[], Installer], publisher: Callable[[], Publisher]
) -> None:
    """Published through the virtual index, and installed with a dependency that upstream has; not the one of upstream's with the
    same name and a higher version, of which upstream does not hear.
    """
    end = installer.__name__
    ours = make_wheel(f"private-{end}", "1.0", requires=[f"needed-{end}>=2"])
    scene.index.add(make_wheel(f"private-{end}", "99.0"), metadata=True)
    scene.index.add(make_wheel(f"needed-{end}", "2.0"), metadata=True)
    ran = publisher().publish(scene.proxy, *written(tmp_path, ours), user="ann", password=PASSWORD, key="packages")
    assert ran.code == 0, ran.output
    ran = installer().install(scene.ann, tmp_path / "target", ours.project)
    assert ran.code == 0, ran.output
    found = [installed(tmp_path / "target", f"{name}_{end}")["VERSION"] for name in ("private", "needed")]
    assert ["1.0", "2.0"] == found
    refused = (scene.ann, f"{ours.project}>1"), (index_of(scene.proxy, "packages"), ours.project)  # for nobody it is not there
    for index, wanted in refused:
        assert installer().install(index, tmp_path / "other", wanted).code != 0
    assert [] == [each.path for each in scene.index.seen if ours.project in each.path]
