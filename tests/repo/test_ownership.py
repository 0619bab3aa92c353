"""Whose a name is: ranks, who is asked, what all of a rank say, and what becomes of parts that nobody uses."""

from collections.abc import Sequence
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field, frozen
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from regproxy.errors import Kind, RegproxyError
from regproxy.model.settings import RepositorySettings
from regproxy.repo.interface import Missing, Refused, Unavailable
from regproxy.repo.ownership import owned, ranks, to_ask
from regproxy.repo.virtual import BUDGET, Virtual

ABSENT = Missing("nobody has it")
NO, DOWN = Refused(403, "no"), Unavailable(503, "down")
LOGIN = RegproxyError(Kind.UNAUTHENTICATED, "who are you")


@frozen
class Part:
    """What one has."""

    text: str


@define(eq=False)
class Member:
    """One that says what it is told to; it is the tree of what it holds, too."""

    name: str
    rclass: str = "remote"
    priority: bool = False
    says: object = ABSENT
    folders: Sequence[str] = ()
    asked: int = field(default=0, init=False)

    @property
    def repository(self) -> Virtual:
        """Something with settings."""
        return Virtual(RepositorySettings(key=self.name, rclass=self.rclass, priority_resolution=self.priority))  # type: ignore[arg-type] # any text will do

    @property
    def tree(self) -> "Member":
        """Where folders are looked for."""
        return self

    async def folder(self, path: str) -> str | None:
        """One that is there."""
        return path if path in self.folders else None

    async def ask(self) -> Any:
        """Answer."""
        self.asked += 1
        if isinstance(self.says, Exception):
            raise self.says
        return await self.says if isinstance(self.says, Deferred) else self.says


def remote(says: object = ABSENT, *, priority: bool = False) -> Any:
    """One."""
    return Member("r", priority=priority, says=says)


@define(eq=False)
class Search:
    """Asks, and keeps what was dropped."""

    asked: Sequence[Sequence[Any]]
    clock: Clock = field(factory=Clock)
    dropped: list[object] = field(factory=list)

    async def run(self) -> object:
        """All of it."""
        return await owned(self.asked, lambda member: member.ask(), self.dropped.append, ABSENT, self.clock)


MEMBERS = st.lists(st.tuples(st.sampled_from(["local", "remote"]), st.booleans(), st.booleans()), max_size=6)


@given(MEMBERS)
@pytest_twisted.ensureDeferred
async def test_who_is_asked(drawn: list[tuple[str, bool, bool]]) -> None:
    """No remote behind a local one that has the name, and every one before it; of local ones those that have it."""
    members: list[Any] = [
        Member(str(number), rclass, priority, folders=["mine/"] if has else ["other/", "min/"])
        for number, (rclass, priority, has) in enumerate(drawn)
    ]
    owners = [each for each in members if each.rclass == "local"]
    found = await to_ask(members, owners, "mine/")
    order = [(not each.priority, each.rclass != "local") for rank in found for each in rank]
    assert sorted(order) == order
    having = [(not each.priority, False) for each in owners if each.folders == ["mine/"]]
    expected = [
        each
        for rank in ranks(members)
        for each in rank
        if (not each.priority, each.rclass != "local") <= min(having, default=(True, True))
        and (each.rclass == "remote" or each.folders == ["mine/"])
    ]
    assert expected == [each for rank in found for each in rank]


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ([[Part("a"), Part("b")], [Part("c")]], ["a", "b"]),
        ([[ABSENT, Part("b")], [Part("c")]], ["b"]),
        ([[NO, Part("b")], []], ["b"]),
        ([[LOGIN, Part("b")]], ["b"]),
        ([[ABSENT, ABSENT], [Part("c")]], ["c"]),
        ([[Part("a"), DOWN], [Part("c")]], DOWN),
        ([[ABSENT, DOWN], [Part("c")]], DOWN),
        ([[RegproxyError(Kind.UPSTREAM_DOWN, "gone"), Part("b")]], Unavailable(503, "gone")),
        ([[ABSENT, NO], [Part("c")]], NO),
        ([[RegproxyError(Kind.DENIED, "not you")], [Part("c")]], Refused(403, "not you")),
        ([[RegproxyError(Kind.NOT_FOUND, "none")], [Part("c")]], ["c"]),
        ([[ABSENT]], ABSENT),
        ([], ABSENT),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_a_rank_says(says: list[list[object]], expected: object) -> None:
    """All of it is shown, or its outage; the next is asked only if all say that they don't have it. Unused parts are let go."""
    asked = [[remote(each) for each in rank] for rank in says]
    search = Search(asked)
    found = await search.run()
    shown = [part for _, part in found] if isinstance(found, list) else []
    assert expected == ([part.text for part in shown] if shown else found)
    parts = [each.says for rank in asked for each in rank if each.asked and isinstance(each.says, Part)]
    assert [part for part in parts if part not in shown] == search.dropped
    assert [] == search.clock.getDelayedCalls()


@pytest_twisted.ensureDeferred
async def test_log_in_first() -> None:
    """Before anything else is said, and before the next rank is asked."""
    later = remote(Part("c"))
    with pytest.raises(RegproxyError) as caught:
        await Search([[remote(LOGIN), remote(NO)], [later]]).run()
    assert (Kind.UNAUTHENTICATED, 0) == (caught.value.kind, later.asked)


@pytest_twisted.ensureDeferred
async def test_at_the_same_time_and_not_for_ever() -> None:
    """Who is slow is one that cannot be asked; what the others have brought is let go."""
    slow: Deferred[object] = Deferred()
    quick: Deferred[object] = Deferred()
    search = Search([[remote(slow), remote(quick)]])
    running = Deferred.fromCoroutine(search.run())
    quick.callback(Part("b"))
    search.clock.advance(BUDGET - 1)
    assert not running.called
    search.clock.advance(1)
    assert (Unavailable(504, "r is slow"), [Part("b")]) == (await running, search.dropped)


@pytest_twisted.ensureDeferred
async def test_nobody_waits_any_more() -> None:
    """What has come is let go, and what has not is given up."""
    slow: Deferred[object] = Deferred()
    search = Search([[remote(Part("a")), remote(slow)]])
    running = Deferred.fromCoroutine(search.run())
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    assert ([Part("a")], True) == (search.dropped, slow.called)


@pytest_twisted.ensureDeferred
async def test_what_nobody_foresaw() -> None:
    """Is no answer, and what the others have brought is let go."""
    search = Search([[remote(Part("a")), remote(RuntimeError("unforeseen"))]])
    with pytest.raises(RuntimeError):
        await search.run()
    assert [Part("a")] == search.dropped
