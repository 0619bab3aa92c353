"""Letters reach their targets in order; one that fails is left alone, and no other one waits for it."""

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from regproxy.errors import Kind, RegproxyError
from regproxy.hooks.collecting import MOST, PENDING, PERIOD, Collecting
from regproxy.hooks.delivering import FIRST_PAUSE, LONGEST_PAUSE, OLDEST, Delivering
from regproxy.index.interface_outbox import Letter
from regproxy.index.memory_outbox import MemoryOutbox
from regproxy.model.settings import Webhook
from regproxy.telemetry.events import Event, What


@define
class Target:
    """Hears, or not."""

    well: bool = True
    heard: list[str] = field(factory=list)
    tried: int = 0
    waiting: "Deferred[None] | None" = None

    async def __call__(self, letter: Letter) -> None:
        """Listen."""
        self.tried += 1
        if self.waiting is not None:
            await self.waiting
        if not self.well:
            raise RegproxyError(Kind.UPSTREAM_BAD, "answered 500")
        self.heard.append(letter.name)

    async def close(self) -> None:
        """Nothing to do."""


@define
class Post:
    """A clock, an outbox, two targets."""

    clock: Clock = field(factory=Clock)
    outbox: MemoryOutbox = field(factory=MemoryOutbox)
    counts: list[tuple[str, str]] = field(factory=list)
    a: Target = field(factory=Target)
    b: Target = field(factory=Target)
    delivering: Delivering = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.delivering = Delivering(self.outbox, self.clock, lambda *what: self.counts.append(what))
        self.delivering.configure({"a": self.a, "b": self.b})

    def put(self, target: str, *names: str) -> None:
        """Queue some."""
        self.outbox.put([Letter(target, name, self.clock.seconds(), b"") for name in names], MOST)

    def step(self) -> None:
        """Let the job look."""
        Deferred.fromCoroutine(self.delivering.step())


def test_in_order_to_each() -> None:
    """All of them, and the queue is empty then."""
    post = Post()
    post.put("a", "1", "2", "3")
    post.put("b", "4")
    post.step()
    assert (["1", "2", "3"], ["4"], []) == (post.a.heard, post.b.heard, post.outbox.letters)
    assert post.counts.count(("a", "delivered")) == 3


def test_one_that_fails_is_left_alone() -> None:
    """Longer each time, with one letter only; the other one hears everything meanwhile."""
    post = Post(a=Target(well=False))
    post.put("a", "1", "2")
    post.put("b", "3")
    post.step()
    post.step()
    assert (1, ["3"]) == (post.a.tried, post.b.heard)
    waits = []
    for _ in range(12):
        waited, before = 0.0, post.a.tried
        while post.a.tried == before:
            post.clock.advance(0.25)
            waited += 0.25
            post.step()
        waits.append(waited)
    assert FIRST_PAUSE / 2 <= waits[0] <= FIRST_PAUSE + 0.25
    assert LONGEST_PAUSE / 2 <= waits[-1] <= LONGEST_PAUSE + 0.25
    post.a.well = True
    post.clock.advance(LONGEST_PAUSE)
    post.step()
    assert ["1", "2"] == post.a.heard


def test_what_is_too_old_is_given_up() -> None:
    """After one more attempt, and counted; what is younger stays."""
    post = Post(a=Target(well=False))
    post.put("a", "old")
    post.clock.advance(OLDEST + 1)
    post.put("a", "new")
    post.step()
    assert ["new"] == [letter.name for letter in post.outbox.letters]
    assert [("a", "failed"), ("a", "expired")] == post.counts


def test_a_slow_one_is_asked_once() -> None:
    """Until it has answered."""
    post = Post(a=Target(waiting=Deferred()))
    post.put("a", "1")
    for _ in range(3):
        post.step()
    assert post.a.tried == 1
    waiting, post.a.waiting = post.a.waiting, None
    assert waiting is not None
    waiting.callback(None)
    assert ["1"] == post.a.heard


def test_leaving_it_to_another_process() -> None:
    """The letter stays."""
    post = Post(a=Target(waiting=Deferred()))
    post.put("a", "1")
    post.step()
    post.delivering.pause()
    assert (["1"], []) == ([letter.name for letter in post.outbox.letters], post.counts)
    post.a.waiting = None
    post.step()
    assert ["1"] == post.a.heard


def collecting(clock: Clock, outbox: MemoryOutbox, lost: list[int]) -> Collecting:
    """One for two hooks."""
    hooks = [Webhook(name=name, url="https://h.example", repositories=(name,)) for name in ("r", "s")]
    return Collecting(outbox, clock, lost.append, lambda: None, hooks)


def test_events_are_queued_for_those_who_want_them() -> None:
    """A moment later, under names of their own."""
    clock, outbox = Clock(), MemoryOutbox()
    heard = collecting(clock, outbox, [])
    for repository in ("r", "r", "none"):
        heard.hear(Event(ts=1.0, event=What.DEPLOYED, repository=repository, path="a"))
    assert outbox.letters == []
    clock.advance(PERIOD)
    assert ["r", "r"] == [letter.target for letter in outbox.letters]
    assert len({letter.name for letter in outbox.letters}) == 2


def test_a_flood_is_bounded() -> None:
    """What is too much is lost, and counted."""
    clock, lost = Clock(), list[int]()
    heard = collecting(clock, MemoryOutbox(), lost)
    for _ in range(PENDING + 5):
        heard.hear(Event(ts=1.0, event=What.DENIED, repository="r", path="a"))
    assert sum(lost) == 5
