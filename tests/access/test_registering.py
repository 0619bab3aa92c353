"""Changes of users and groups that two workers make at once: neither undoes the other's, and an administrator stays."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from attrs import frozen
from twisted.internet.defer import Deferred

from regproxy.access.registering import Registering
from regproxy.access.roster import Roster
from regproxy.errors import Kind, RegproxyError
from regproxy.index.sqlite_directory import SqliteDirectory
from regproxy.model.principals import Group, User
from regproxy.telemetry.events import Events
from tests.fakes.directory import put
from tests.fakes.remote import InlinePool
from tests.index.threads import ThreadedClock
from tests.index.writing import shared_index

Work = Callable[[Roster], Any]


@frozen
class Workers:
    """Two of them, over one file; ``told`` is what the audit log hears."""

    clock: ThreadedClock
    directories: list[SqliteDirectory]
    told: list[str]

    def together(self, *works: Work) -> list[Kind | None]:
        """Each begun by another worker before any has ended; what was refused."""
        events = Events()
        events.listen(lambda event: self.told.append(f"{event.subject} {event.change}"))
        every = [Registering(each, InlinePool(), events) for each in self.directories]
        changes = [Deferred.fromCoroutine(each.change(work)) for each, work in zip(every, works, strict=True)]
        return [self._refusal(change) for change in changes]

    def _refusal(self, change: Deferred[Any]) -> Kind | None:
        try:
            self.clock.wait(change)
        except RegproxyError as error:
            return error.kind
        return None

    def admins(self) -> list[str]:
        """Those who can log in."""
        return [user.name for user in self.directories[0].every(User) if user.admin and user.enabled]


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    """Of two administrators, a user and three groups."""
    clock = ThreadedClock()
    indexes = [shared_index(tmp_path / "index.sqlite", slot, clock, is_owner=slot == 0) for slot in (0, 1)]
    for index in indexes:
        index.start()
    directories = [SqliteDirectory(index) for index in indexes]
    people = (User(name="ann", admin=True), User(name="bob", admin=True), User(name="cid", groups=("g",)))
    for entry in (*people, Group(name="g"), Group(name="h"), Group(name="k", admin=True)):
        clock.wait(put(directories[0], entry))
    yield Workers(clock, directories, [])
    for index in reversed(indexes):
        clock.wait(index.close())


def removed(name: str) -> Work:
    """He goes."""
    return lambda roster: roster.remove(User, name)


def changed(name: str, **said: object) -> Work:
    """He is so from now on."""
    return lambda roster: roster.amend(User, name, lambda user: msgspec.structs.replace(user, **said))


PAIRS: list[Any] = [
    (removed("ann"), removed("bob")),
    (changed("ann", admin=False), changed("bob", admin=False)),
    (changed("ann", enabled=False), removed("bob")),
    (changed("ann", admin=False, groups=("k",)), changed("bob", admin=False, groups=("k",))),
]


@pytest.mark.parametrize("works", PAIRS)
def test_an_administrator_stays(workers: Workers, works: tuple[Work, Work]) -> None:
    """Whichever of the two changes comes second is refused, and not told of."""
    assert {Kind.CONFLICT, None} == set(workers.together(*works))
    assert (1, 1) == (len(workers.admins()), len(workers.told))


def test_groups_make_no_last_one(workers: Workers) -> None:
    """Who is an administrator by a group is none to be counted on, and may leave it whoever else is there."""
    assert [None, None] == workers.together(changed("cid", groups=("k",)), removed("ann"))
    assert Kind.CONFLICT in workers.together(removed("bob"), lambda roster: roster.enrol("k", (), ("cid",)))
    assert ["bob"] == workers.admins()


def test_memberships_add_up(workers: Workers) -> None:
    """He joins one group and leaves another, while a third is given to somebody else too, and he is disabled meanwhile."""
    assert [None, None] == workers.together(
        lambda roster: roster.enrol("h", ("cid", "ann")), lambda roster: roster.enrol("k", ("cid",), ("ann",))
    )
    assert [None, None] == workers.together(changed("cid", enabled=False), lambda roster: roster.set_members("g", ("bob",)))
    cid = workers.directories[1].get(User, "cid")
    assert cid is not None
    assert (["h", "k"], False) == (sorted(cid.groups), cid.enabled)
    assert ["ann changed", "bob changed", "cid changed", "cid changed", "cid changed", "cid changed"] == sorted(workers.told)


def test_a_change_that_fails_leaves_nothing(workers: Workers) -> None:
    """A group whose members are not all there is not made, and nobody hears of it."""

    def work(roster: Roster) -> None:
        roster.keep(Group(name="new"))
        roster.set_members("new", ("ann", "nobody"))

    assert [Kind.INVALID, None] == workers.together(work, removed("cid"))
    assert (None, ["cid removed"]) == (workers.directories[0].get(Group, "new"), workers.told)
    ann = workers.directories[0].get(User, "ann")
    assert ann is not None
    assert () == ann.groups
