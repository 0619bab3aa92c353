"""What patterns and ``blackedOut`` close, over real sockets: every kind of repository, at every kind of its addresses."""

from collections.abc import Iterator

import pytest
from attrs import frozen

from tests.fakes.deploying import Answer, ask, local
from tests.fakes.files import Files, serving
from tests.fakes.index import Index
from tests.fakes.index_files import make_wheel
from tests.fakes.process import Regproxy
from tests.fakes.publishing import pypi
from tests.wire import test_virtual_pypi
from tests.wire.test_life import wait_until
from tests.wire.test_virtual import named, virtual

NEAR, BOTH = make_wheel("near", "1.0"), make_wheel("both", "1.0")
CLOSED = {"/.hidden/f": b"f", "/.seen/f": b"f", "/a": b"a", "/lib/a": b"a"}


@frozen
class Scene:
    """A server, an upstream of files, and one of packages."""

    regproxy: Regproxy
    files: Files
    index: Index

    def ask(self, path: str, method: str = "GET", body: bytes | None = None) -> Answer:
        """One request."""
        return ask(self.regproxy, method, path, body)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One server for all."""
    hidden = 'excludesPattern = ".hidden/**"'
    with serving(CLOSED) as files, Index() as index:
        tables = [
            local("mine"),
            named(files.url, "open"),
            named(files.url, "shut", hidden),
            virtual("all", "open", "mine", deploys="mine") + hidden,
            virtual("over", "shut"),
            pypi(),
            index.remote("near", 'includesPattern = "near/**"'),
            index.remote("index"),
            test_virtual_pypi.virtual("some", "index", more='excludesPattern = "both/**"\n'),
        ]
        for built in (NEAR, BOTH):
            index.add(built, metadata=True)
        regproxy = Regproxy(tmp_path_factory.mktemp("rules"), "\n".join(tables))
        regproxy.start()
        try:
            yield Scene(regproxy, files, index)
        finally:
            regproxy.close()


def test_patterns_hold_for_hidden_files(scene: Scene) -> None:
    """A file is one whatever its name begins with: what is excluded is neither served nor taken, and no upstream hears of it."""
    assert [200, 200] == [scene.ask(f"/{key}/.seen/f").status for key in ("all", "shut")]
    for path in ("/all/.hidden/f", "/shut/.hidden/f", "/over/.hidden/f"):
        told = scene.ask(path)
        assert (403, True) == (told.status, "by its patterns" in told.error), path
    assert 0 == scene.files.asked["GET", "/.hidden/f"]
    assert [403, 403] == [scene.ask(f"/all/.hidden/{name}", "PUT", b"").status for name in ("g", "d/")]
    assert 404 == scene.ask("/mine/.hidden/").status


def test_what_is_held_is_excluded_as_well(scene: Scene) -> None:
    """Under the companion's name, too."""
    assert 200 == scene.ask("/shut/a").status
    wait_until(lambda: scene.ask("/shut-cache/a").status == 200)
    assert 403 == scene.ask("/shut-cache/.hidden/f").status


def test_an_index_is_not_asked_for_what_is_excluded(scene: Scene) -> None:
    """Of a project none of whose files may be there it has no page, by whatever address."""
    file = f"packages/both/1.0/{BOTH.sha256}/{BOTH.filename}"
    for key in ("near", "some"):
        for below in ("simple/both/", "pypi/both/json", "pypi/both/1.0/json", ".pypi/both.json", ".pypi/api/both.json", file):
            told = scene.ask(f"/api/pypi/{key}/{below}")
            assert (403, True) == (told.status, b"by its patterns" in told.body), below
    assert [] == [each.path for each in scene.index.seen if "both" in each.path]
    for below in ("simple/near/", "simple/", "pypi/near/json", ".pypi/near.json", f"near/1.0/{NEAR.filename}"):
        assert 200 == scene.ask(f"/api/pypi/near/{below}").status, below
