"""Who is asked first, what the answer is if nobody has it, what all together have, and how folders are laid over one another."""

from collections.abc import Sequence
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field, frozen
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from regproxy.errors import Kind, RegproxyError
from regproxy.model.deposit import Child
from regproxy.model.settings import RepositorySettings
from regproxy.repo.interface import Answer, Missing, Refused, Text, Unavailable
from regproxy.repo.virtual import BUDGET, Virtual, every, first, flattened, in_order, is_trusted, united

ABSENT = Missing("nobody has it")
DOWN = Unavailable(503, "down")
FOUND = Text(b"it", "text/plain")
DENIED = RegproxyError(Kind.DENIED, "not fetched for you")
LOGIN = RegproxyError(Kind.UNAUTHENTICATED, "who are you")


@define(eq=False)
class Member:
    """One that answers as it is told; ``asked`` has those that were."""

    answer: Answer | RegproxyError = ABSENT
    settings: dict[str, Any] = field(factory=dict)
    asked: bool = False

    @property
    def repository(self) -> Virtual:
        """Something with settings."""
        return Virtual(RepositorySettings(**{"key": "m", "rclass": "remote", **self.settings}))

    async def ask(self) -> Answer:
        """Answer."""
        self.asked = True
        if isinstance(self.answer, RegproxyError):
            raise self.answer
        return self.answer


def member(answer: Answer | RegproxyError = ABSENT, **settings: Any) -> Any:
    """One."""
    return Member(answer, settings)


@pytest.mark.parametrize(
    ("members", "at", "expected"),
    [
        ([member(FOUND), member(FOUND)], 0, FOUND),
        ([member(), member(DOWN), member(Refused(403, "no")), member(FOUND)], 3, FOUND),
        ([member(DENIED), member(LOGIN), member(FOUND)], 2, FOUND),
        ([member(DOWN, hard_fail=True), member(FOUND)], 0, DOWN),
        ([member(DOWN, rclass="local"), member(FOUND)], 0, DOWN),
        ([member(), member()], None, ABSENT),
        ([member(), member(Refused(403, "no"))], None, Refused(403, "no")),
        ([member(Refused(403, "no")), member(DOWN), member()], None, DOWN),
        ([member(RegproxyError(Kind.UPSTREAM_SLOW, "slow")), member()], None, Unavailable(504, "slow")),
        ([member(DENIED)], None, Refused(403, DENIED.text)),
        ([], None, ABSENT),
    ],
)
@pytest_twisted.ensureDeferred
async def test_first(members: list[Any], at: int | None, expected: Answer) -> None:
    """The first that has it; no outage is "not there", and nobody is asked behind the one that answers."""
    for each in members:
        each.asked = False
    found, answer = await first(members, lambda each: each.ask(), ABSENT)
    assert (None if at is None else members[at], expected) == (found, answer)
    assert [each.asked for each in members] == [at is None or number <= at for number in range(len(members))]


@pytest_twisted.ensureDeferred
async def test_log_in_first() -> None:
    """If somebody without a name is told nothing, he logs in before anything else is said; a wrong question is everybody's."""
    for members, kind in (([member(LOGIN), member(DOWN)], Kind.UNAUTHENTICATED), ([member(wrong())], Kind.INVALID)):
        with pytest.raises(RegproxyError) as caught:
            await first(members, lambda each: each.ask(), ABSENT)
        assert kind is caught.value.kind


def wrong() -> RegproxyError:
    """What is wrong with a question."""
    return RegproxyError(Kind.INVALID, "no")


@pytest.mark.parametrize(
    ("members", "expected", "told", "silent"),
    [
        ([member(FOUND), member(), member(FOUND)], [0, 2], ABSENT, 0),
        ([member(FOUND), member(DOWN)], [0], DOWN, 1),
        ([member(FOUND), member(RegproxyError(Kind.UPSTREAM_DOWN, "down"))], [0], DOWN, 1),
        ([member(FOUND), member(LOGIN)], [0], ABSENT, 0),
        ([member(FOUND), member(DENIED)], [0], Refused(403, DENIED.text), 0),
        ([member(), member(DOWN), member(Refused(403, "no"))], [], DOWN, 1),
        ([member(FOUND), member(DOWN, hard_fail=True)], [], DOWN, 1),
        ([member(FOUND), member(DOWN, rclass="local")], [], DOWN, 1),
        ([member(), member()], [], ABSENT, 0),
        ([], [], ABSENT, 0),
    ],
)
@pytest_twisted.ensureDeferred
async def test_every(members: list[Any], expected: list[int], told: Missing | Refused | Unavailable, silent: int) -> None:
    """What those say that have it, and who could not be asked; an outage that ends the search leaves nothing."""
    clock = Clock()
    heard = await every(members, lambda each: each.ask(), ABSENT, clock)
    assert [(members[number], FOUND) for number in expected] == list(heard.parts)
    assert (told, silent, []) == (heard.told, len(heard.silent), clock.getDelayedCalls())


@pytest_twisted.ensureDeferred
async def test_every_asks_at_once() -> None:
    """Nobody waits for another one, and the slowest is not waited for longer than the budget; what it says then is nobody's."""
    waiting: dict[object, Deferred[Text]] = {}

    async def ask(each: object) -> Answer:
        waiting[each] = Deferred()
        return await waiting[each]

    clock, members = Clock(), [member(), member()]
    asked = Deferred.fromCoroutine(every(members, ask, ABSENT, clock))
    assert 2 == len(waiting)
    waiting[members[1]].callback(FOUND)
    clock.advance(BUDGET - 1)
    assert not asked.called
    clock.advance(1)
    heard = await asked
    assert ([(members[1], FOUND)], Unavailable(504, "m is slow")) == (list(heard.parts), heard.told)
    waiting[members[0]].errback(RuntimeError("late"))


@pytest_twisted.ensureDeferred
async def test_every_log_in_first() -> None:
    """As of one after the other; what nobody foresaw is no answer."""
    for members, expected in (([member(LOGIN), member(DOWN)], RegproxyError), ([member(wrong())], RegproxyError)):
        with pytest.raises(expected):
            await every(members, lambda each: each.ask(), ABSENT, Clock())

    async def fail(_: object) -> Answer:
        raise RuntimeError("unforeseen")

    with pytest.raises(RuntimeError):
        await every([member(FOUND)], fail, ABSENT, Clock())


def test_is_trusted() -> None:
    """With a name that is a local one's: local ones, and those that are told to come first."""
    assert [True, True, False] == [
        is_trusted(each) for each in (member(rclass="local"), member(priority_resolution=True), member())
    ]


def test_in_order() -> None:
    """Priority, what is held, local ones, remote ones; then as configured."""
    names: dict[str, dict[str, Any]] = {
        "far": {},
        "near": {"rclass": "local"},
        "holder": {},
        "best": {"priority_resolution": True},
        "other": {},
    }
    members: dict[str, Any] = {name: member(**settings) for name, settings in names.items()}
    found = in_order(list(members.values()), lambda each: each is members["holder"])
    assert ["best", "holder", "near", "far", "other"] == [name for each in found for name in members if members[name] is each]


@pytest.mark.parametrize(
    ("virtuals", "expected"),
    [
        ({"v": ["a", "b", "a"]}, ["a", "b"]),
        ({"v": ["a", "w", "c"], "w": ["b", "c"]}, ["a", "b", "c"]),
        ({"v": ["w", "a"], "w": ["v", "b"]}, ["b", "a"]),
        ({"v": ["v"]}, []),
    ],
)
def test_flattened(virtuals: dict[str, Sequence[str]], expected: Sequence[str]) -> None:
    """Virtual members give theirs in their place, each once; circles end."""
    assert expected == flattened("v", virtuals)


@frozen
class Named:
    """In place of a node."""

    by: int


FOLDERS = st.lists(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), unique=True), max_size=4)


@given(FOLDERS)
def test_united(folders: list[list[tuple[str, bool]]]) -> None:
    """Every name once, of the first that has it, sorted; laying the same over it changes nothing."""
    children = [
        [Child(name, Named(number) if is_file else None) for name, is_file in folder]  # type: ignore[arg-type] # as much as is used
        for number, folder in enumerate(folders)
    ]
    found = united(children)
    assert sorted({(name, not is_file) for folder in folders for name, is_file in folder}) == [
        (child.name, child.node is None) for child in found
    ]
    for child in found:
        assert child == next(
            each for folder in children for each in folder if (each.name, not each.node) == (child.name, not child.node)
        )
    assert united([found, *children]) == found
