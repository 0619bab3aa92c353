"""Users who change while somebody changes them: hashing a password takes a while, in which he may be disabled or removed."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec
import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from regproxy.access.principal import Principal
from regproxy.access.registering import Registering
from regproxy.admin.access_people import AccessPeople
from regproxy.admin.desk import Desk
from regproxy.admin.people import People
from regproxy.errors import RegproxyError
from regproxy.index.memory_directory import MemoryDirectory
from regproxy.model.principals import Target, User
from regproxy.web.catalog import Catalog
from regproxy.web.request import ProxyRequest
from regproxy.web.root import Root
from tests.fakes.directory import put, remove
from tests.fakes.gates import gate_of, guard_of
from tests.fakes.site import Client, Stage, reactor

T = TypeVar("T")


@define(eq=False)
class Slow:
    """A pool that works when it is told to."""

    jobs: list[Callable[[], None]] = field(factory=list)

    def run(self, work: Callable[[], T]) -> Deferred[T]:
        """Later."""
        done: Deferred[T] = Deferred()
        self.jobs.append(lambda: done.callback(work()))
        return done


@define(eq=False)
class Scene:
    """An administrator's REST API over ann."""

    directory: MemoryDirectory = field(factory=MemoryDirectory)
    pool: Slow = field(factory=Slow)

    @asynccontextmanager
    async def meanwhile(self, method: str, path: str, password: bytes) -> AsyncIterator[list[int]]:
        """Have a password hashed; what is done within is done before it is. The status follows."""
        for user in (User(name="root", admin=True), User(name="ann", password="old")):
            put(self.directory, user)
        desk = Desk(gate_of(), Registering(self.directory, self.pool), tuple)
        people, access = People(desk).resource(), AccessPeople(desk).resource()

        def identify(request: ProxyRequest) -> None:
            request.principal = Principal("root", "root", admin=True)

        root = Root(Catalog(guard_of()), {"api": people, "access": access}, {}, identify=identify)
        statuses: list[int] = []
        body = b'{"password": "%s"}' % password

        def work(client: Client) -> int:
            head = f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
            client.send(head.encode() + body)
            return client.reply().status

        async with Stage(root) as stage:
            asking = Deferred.fromCoroutine(stage.ask(work))
            while not self.pool.jobs:
                await deferLater(reactor, 0.01)
            yield statuses
            self.pool.jobs.pop()()
            statuses.append(await asking)


ROUTES: list[Any] = [
    ("POST", "/api/security/users/ann"),
    ("PATCH", "/access/api/v2/users/ann"),
    ("PUT", "/access/api/v2/users/ann/password"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest_twisted.ensureDeferred
async def test_one_who_is_removed_stays_so(method: str, path: str) -> None:
    """He is not there again, with another password."""
    scene = Scene()
    async with scene.meanwhile(method, path, b"another one") as statuses:
        remove(scene.directory, User, "ann")
    assert ([404], None) == (statuses, scene.directory.get(User, "ann"))


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest_twisted.ensureDeferred
async def test_one_who_is_disabled_stays_so(method: str, path: str) -> None:
    """And has the other password."""
    scene = Scene()
    async with scene.meanwhile(method, path, b"another one") as statuses:
        ann = scene.directory.get(User, "ann")
        assert ann is not None
        put(scene.directory, msgspec.structs.replace(ann, enabled=False))
    changed = scene.directory.get(User, "ann")
    assert changed is not None
    assert (statuses[0] in (200, 204), False, True) == (True, changed.enabled, changed.password.startswith("scrypt$"))


@pytest_twisted.ensureDeferred
async def test_repositories_that_have_gone_from_the_file() -> None:
    """Stay where they stand when a permission target is changed, and come to no other."""
    directory = MemoryDirectory()
    put(directory, Target(name="t", repositories=("gone", "files")))
    desk = Desk(gate_of(), Registering(directory, Slow()), lambda: ["files", "more"])
    await desk.keep_target(Target(name="t", repositories=("gone", "more", "ANY REMOTE")), is_there=True)
    with pytest.raises(RegproxyError, match="there is no repository 'gone'"):
        await desk.keep_target(Target(name="other", repositories=("files", "gone")))
    assert [("gone", "more", "ANY REMOTE")] == [target.repositories for target in directory.every(Target)]
