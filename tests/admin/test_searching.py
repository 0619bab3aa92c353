"""How many searches are under way, and who waits."""

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred

from regproxy.access.principal import Principal
from regproxy.admin.searching import AT_ONCE, WAITING, WAITING_EACH, Searches
from regproxy.errors import Kind, RegproxyError
from regproxy.repo.interface import Text


@define(eq=False)
class Asking:
    """As much of a request as is looked at."""

    principal: Principal | None = None
    accountable: str = "192.0.2.1"


@define(eq=False)
class Scene:
    """Searches that end when they are told to; what became of each, in the order in which they were asked for."""

    searches: Searches = field(factory=Searches)
    running: list[Deferred[Text]] = field(factory=list)
    asked: list[Deferred[Any]] = field(factory=list)
    told: dict[int, Any] = field(factory=dict)

    def ask(self, who: str = "", address: str = "192.0.2.1") -> Callable[[], None]:
        """Begin one; what is returned has its client leave."""

        async def search() -> Text:
            self.running.append(Deferred())
            return await self.running[-1]

        request: Any = Asking(Principal(who, who) if who else None, address)
        number, asked = len(self.asked), Deferred.fromCoroutine(self.searches.run(request, search))
        self.asked.append(asked)
        asked.addCallbacks(
            lambda _: self.told.update({number: "found"}), lambda failure: self.told.update({number: failure.value})
        )
        return asked.cancel

    def end(self) -> None:
        """Let the oldest one end."""
        self.running.pop(0).callback(Text(b"", "text/plain"))

    def is_refused(self, number: int) -> bool:
        """Whether there was no room for it, and he heard when to come again."""
        error = self.told.get(number)
        return isinstance(error, RegproxyError) and error.kind is Kind.UPSTREAM_BUSY and bool(error.retry_after)


def test_in_their_order() -> None:
    """Some run, others wait for them; when all have ended there is as much room as before."""
    scene = Scene()
    for _ in range(AT_ONCE + 2):
        scene.ask("ann")
    assert (AT_ONCE, {}) == (len(scene.running), scene.told)
    for number in range(AT_ONCE + 2):
        scene.end()
        assert list(range(number + 1)) == list(scene.told)
    assert {"found"} == set(scene.told.values())
    for _ in range(AT_ONCE):
        scene.ask("ann")
    assert len(scene.running) == AT_ONCE


def test_nobody_fills_the_queue() -> None:
    """One who asks too often is refused, by his name or his address, and others are not; in all so many wait, and no more."""
    scene = Scene()
    for _ in range(AT_ONCE + WAITING_EACH + 1):
        scene.ask()
    assert [AT_ONCE + WAITING_EACH] == list(scene.told)
    assert scene.is_refused(AT_ONCE + WAITING_EACH)
    for number in range(WAITING - WAITING_EACH):
        scene.ask(f"user-{number}")
    assert len(scene.told) == 1
    scene.ask("bob")
    assert scene.is_refused(len(scene.asked) - 1)
    scene.end()
    scene.ask("bob")
    assert len(scene.told) == 3


def test_one_who_leaves() -> None:
    """Gives up his place, whether he waited or not."""
    scene = Scene()
    leave = [scene.ask(address="192.0.2.7") for _ in range(AT_ONCE + WAITING_EACH)]
    for leaves in leave[:2] + leave[-2:]:
        leaves()
    assert all(isinstance(each, CancelledError) for each in scene.told.values())
    assert (4, AT_ONCE + 2) == (len(scene.told), len(scene.running))
    for _ in range(4):
        scene.ask(address="192.0.2.7")
    assert len(scene.told) == 4
    scene.ask(address="192.0.2.7")
    assert scene.is_refused(len(scene.asked) - 1)
