"""Repositories that are made while the server runs: what is accepted, what is kept, and what is served then."""

from collections.abc import Awaitable
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet.defer import Deferred

from regproxy.declared import Declared
from regproxy.errors import Kind, RegproxyError
from regproxy.index.memory import MemoryIndex
from regproxy.index.memory_declarations import MemoryDeclarations
from regproxy.model.settings import Configuration, CustomHeader, Proxy, RepositorySettings
from tests.conformance.index import node_at
from tests.fakes.declared import Noted, declared

LOCAL = {"rclass": "local", "packageType": "generic"}
REMOTE = {"rclass": "remote", "packageType": "generic", "url": "https://up.example"}
FILE = Configuration(
    repository=(RepositorySettings(key="file", rclass="local"),), proxy=(Proxy(key="way", url="http://p.example"),)
)


@define
class Scene:
    """One process of a server."""

    index: MemoryIndex = field(factory=MemoryIndex)
    noted: Noted = field(factory=Noted)
    declarations: MemoryDeclarations = field(init=False)
    declared: Declared = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.declarations = MemoryDeclarations(self.index)
        self.declared = declared(self.noted, self.declarations)
        self.declared.serve(FILE)

    def settings(self, key: str) -> RepositorySettings:
        """As they are served."""
        return next(settings for settings in self.noted.configuration.repository if settings.key == key)


async def refused(work: Awaitable[Any]) -> tuple[Kind, str]:
    """Why something was not done."""
    with pytest.raises(RegproxyError) as caught:
        await work
    return caught.value.kind, caught.value.text


@pytest_twisted.ensureDeferred
async def test_made_and_served() -> None:
    """Beside those of the file, which go on; what means nothing here is kept."""
    scene = Scene()
    assert ["file"] == scene.noted.keys
    await scene.declared.create({"mine": {**LOCAL, "key": "mine", "xrayDataTtl": 90, "proxy": None}})
    assert (["file", "mine"], ["file"]) == (scene.noted.keys, [*scene.noted.kept])
    assert {**LOCAL, "key": "mine", "xrayDataTtl": 90} == scene.declared.said("mine")
    assert (None, None) == (scene.declared.said("file"), scene.declared.said("none"))


@pytest_twisted.ensureDeferred
async def test_another_process_sees_it() -> None:
    """At its next look."""
    one = Scene()
    noted = Noted()
    other = declared(noted, one.declarations)
    other.serve(FILE)
    await one.declared.create({"mine": LOCAL})
    other.look()
    assert ["file", "mine"] == noted.keys
    await one.declared.remove("mine")
    other.look()
    assert ["file"] == noted.keys


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({**LOCAL, "rclass": "federated"}, "federated repositories are not there yet"),
        ({**LOCAL, "rclass": "virtual", "packageType": "pypi", "repositories": ["file"]}, "of packageType pypi: file is generic"),
        ({**LOCAL, "rclass": "virtual", "repositories": ["none"]}, "there is no 'none'"),
        ({**LOCAL, "rclass": "virtual", "repositories": ["file", "mine"]}, "lead back to it"),
        ({**LOCAL, "rclass": "virtual", "repositories": ["file", "file"]}, "each member once: 'file' stands before"),
        ({**LOCAL, "rclass": "virtual", "repositories": [], "defaultDeploymentRepo": "file"}, "defaultDeploymentRepo"),
        ({**LOCAL, "repositories": ["file"]}, "only a virtual repository has members"),
        ({**LOCAL, "sharedNamesPattern": "a"}, "sharedNamesPattern"),
        ({**LOCAL, "rclass": "other"}, 'expected "remote" or "local" or "virtual"'),
        ({"packageType": "generic"}, "rclass"),
        ({**LOCAL, "packageType": "nothing"}, "packageType"),
        ({**LOCAL, "key": "other"}, "key"),
        ({**LOCAL, "url": "https://up.example"}, "url"),
        ({**REMOTE, "url": ""}, "url"),
        ({**REMOTE, "url": "auto"}, "configuration file only"),
        ({**REMOTE, "url": 7}, "expected a string"),
        ({**REMOTE, "socketTimeoutMillis": "7"}, "socketTimeoutMillis"),
        ({**REMOTE, "socketTimeoutMillis": -1, "segments": 0}, "segments"),
        ({**REMOTE, "passwordFile": "/etc/hostname"}, "named in the configuration file only"),
        ({**REMOTE, "proxy": "none"}, "proxy"),
        ({**LOCAL, "maxBytes": "much"}, "maxBytes"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_checks_of_the_file(said: dict[str, object], expected: str) -> None:
    """Hold here too, and nothing is kept of what does not pass them; of several it is said which one is meant."""
    scene = Scene()
    kind, text = await refused(scene.declared.create({"good": LOCAL, "mine": said}))
    assert Kind.INVALID is kind
    assert expected in text
    assert "mine" in text
    assert {} == scene.declarations.every()


@pytest_twisted.ensureDeferred
async def test_which_one_cannot_be_changed() -> None:
    """Of several, too."""
    scene = Scene()
    await scene.declared.create({"good": LOCAL, "mine": LOCAL})
    for said in (
        {"rclass": "remote"},
        {"packageType": "pypi"},
        {"caFile": "x"},
        {"url": "auto"},
        {"key": "other"},
        {"maxBytes": 1},
    ):
        kind, text = await refused(scene.declared.change({"good": {"description": "d"}, "mine": said}))
        assert (Kind.INVALID, True) == (kind, "mine" in text), text
    assert "description" not in (scene.declared.said("good") or {})


@pytest.mark.parametrize("key", ["api", "x-cache", "a/b", "", "ä", "x" * 65, "-x"])
@pytest_twisted.ensureDeferred
async def test_keys_that_nobody_may_have(key: str) -> None:
    """As in the file."""
    kind, text = await refused(Scene().declared.create({key: LOCAL}))
    assert (Kind.INVALID, True) == (kind, "key" in text)


@pytest_twisted.ensureDeferred
async def test_a_key_is_taken_once() -> None:
    """In whatever case, by the file or by one that was made."""
    scene = Scene()
    await scene.declared.create({"mine": LOCAL})
    for key in ("mine", "Mine", "FILE"):
        assert Kind.INVALID is (await refused(scene.declared.create({key: LOCAL})))[0]


@pytest_twisted.ensureDeferred
async def test_changed_in_part() -> None:
    """What is not said stays, passwords above all; None takes back; class and type never change."""
    scene = Scene()
    await scene.declared.create({"mine": {**REMOTE, "password": "5ecret", "description": "d", "odd": 1}})
    await scene.declared.change({"mine": {"key": "mine", "rclass": "remote", "notes": "n", "description": None}})
    settings = scene.settings("mine")
    assert ("5ecret", "n", "") == (settings.password, settings.notes, settings.description)
    assert 1 == (scene.declared.said("mine") or {})["odd"]
    for said in ({"rclass": "local"}, {"packageType": "pypi"}, {"url": "nowhere"}):
        assert Kind.INVALID is (await refused(scene.declared.change({"mine": said})))[0]
    assert scene.settings("mine") == settings
    assert Kind.NOT_FOUND is (await refused(scene.declared.change({"none": {}})))[0]


@pytest_twisted.ensureDeferred
async def test_headers_that_come_back_without_values() -> None:
    """Keep them: nobody is shown them, and scripts send back what they were shown."""
    scene = Scene()
    await scene.declared.create({"mine": {**REMOTE, "customHttpHeaders": [{"name": "X-Key", "value": "5ecret"}]}})
    both = [{"name": "X-Key", "value": ""}, {"name": "X-More", "value": "m"}]
    await scene.declared.change({"mine": {"customHttpHeaders": both}})
    expected = (CustomHeader(name="X-Key", value="5ecret"), CustomHeader(name="X-More", value="m"))
    assert expected == scene.settings("mine").custom_http_headers
    assert Kind.INVALID is (await refused(scene.declared.change({"mine": {"customHttpHeaders": "x"}})))[0]


@pytest_twisted.ensureDeferred
async def test_what_the_file_declares() -> None:
    """Is changed there only, and hides one that was made with its key."""
    scene = Scene()
    for work in (scene.declared.change({"file": {"notes": "n"}}), scene.declared.remove("file")):
        assert Kind.CONFLICT is (await refused(work))[0]
    await scene.declared.create({"mine": LOCAL})
    scene.declared.serve(Configuration(repository=(RepositorySettings(key="mine", rclass="local", notes="of the file"),)))
    assert "of the file" == scene.settings("mine").notes
    assert Kind.CONFLICT is (await refused(scene.declared.remove("mine")))[0]
    scene.declared.serve(FILE)
    assert "" == scene.settings("mine").notes


@pytest_twisted.ensureDeferred
async def test_what_the_file_has_no_more() -> None:
    """A repository whose proxy has gone is not served, and is again when it is back."""
    scene = Scene()
    await scene.declared.create({"mine": {**REMOTE, "proxy": "way"}})
    scene.declared.serve(Configuration())
    assert [] == scene.noted.keys
    scene.declared.serve(FILE)
    assert ["file", "mine"] == scene.noted.keys


@pytest_twisted.ensureDeferred
async def test_a_key_that_the_file_had() -> None:
    """Who makes a repository of it does not make it a member of a virtual one, be that served by then or not."""
    scene = Scene()
    said = {**LOCAL, "rclass": "virtual", "repositories": ["file", "mine"], "defaultDeploymentRepo": "file"}
    await scene.declared.create({"mine": LOCAL, "all": said})
    scene.declared.serve(Configuration())
    await scene.declared.create({"file": LOCAL})
    all_of_them = scene.settings("all")
    assert (("mine",), "") == (tuple(all_of_them.repositories), all_of_them.default_deployment_repo)
    scene.declared.serve(FILE)
    assert ("mine",) == tuple(scene.settings("all").repositories)


@pytest_twisted.ensureDeferred
async def test_removed_with_everything() -> None:
    """Also with what still arrived then; nothing of others, and nothing of the file's."""
    scene = Scene()
    await scene.declared.create({"mine": REMOTE})
    for path in ("a", "b"):
        scene.index.put(node_at(path, repository="mine"), synced=True)
    scene.index.put(node_at("a", repository="file"), synced=True)
    arriving = scene.noted.busy["mine"] = Deferred()
    assert 2 == await scene.declared.remove("mine")
    assert (["file"], None) == (scene.noted.keys, scene.declared.said("mine"))
    scene.index.put(node_at("late", repository="mine"), synced=True)
    arriving.callback(None)
    assert ([], ["a"]) == ([*scene.index.nodes("mine")], [node.path for node in scene.index.nodes("file")])
    assert Kind.NOT_FOUND is (await refused(scene.declared.remove("mine")))[0]


@pytest_twisted.ensureDeferred
async def test_a_removal_is_resumed() -> None:
    """Where a stop came in between."""
    scene = Scene()
    await scene.declared.create({"mine": LOCAL})
    scene.index.put(node_at("a", repository="mine"), synced=True)
    scene.declarations.remove("mine")
    assert Kind.CONFLICT is (await refused(scene.declared.create({"mine": LOCAL})))[0]
    await scene.declared.resume()
    assert [] == list(scene.index.nodes("mine"))
    await scene.declared.create({"mine": LOCAL})


@pytest_twisted.ensureDeferred
async def test_several_at_once() -> None:
    """They may be members of one another, in whatever order; where one will not do, nothing is made or changed."""
    scene = Scene()
    virtual = {"rclass": "virtual", "packageType": "generic", "repositories": ["one", "file"]}
    await scene.declared.create({"all": virtual, "one": LOCAL})
    assert ["file", "all", "one"] == scene.noted.keys
    before = scene.noted.configuration
    wrong: dict[str, Any] = {
        "bad": {**LOCAL, "maxBytes": "much"},
        "TWO": LOCAL,
        "one": LOCAL,
        "every": {**virtual, "repositories": ["none"]},
    }
    for key, said in wrong.items():
        assert Kind.INVALID is (await refused(scene.declared.create({"two": LOCAL, key: said})))[0]
    assert Kind.INVALID is (await refused(scene.declared.change({"one": {"notes": "n"}, "all": {"rclass": "local"}})))[0]
    assert Kind.NOT_FOUND is (await refused(scene.declared.change({"one": {"notes": "n"}, "none": {}})))[0]
    assert before == scene.noted.configuration
    await scene.declared.change({"one": {"notes": "n"}, "all": {"notes": "m"}})
    assert ("n", "m") == (scene.settings("one").notes, scene.settings("all").notes)
