"""When an upstream is left alone, and when it is tried again."""

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from regproxy.errors import Kind, RegproxyError
from regproxy.upstream.failures import HungUpError
from regproxy.upstream.health import HOSTS, Health, Hosts
from regproxy.upstream.origin import Origin


def make(fixed: float | None = None) -> tuple[Clock, Health]:
    """Without jitter."""
    clock = Clock()
    return clock, Health(clock, fixed, lambda: 1.0)


def fail(clock: Clock, health: Health) -> None:
    """One request that did not get through."""
    assert health.enter()
    clock.advance(0.001)
    health.failed(clock.seconds() - 0.001)


def test_growing() -> None:
    """Thirty seconds at first, twice as long each time, five minutes at most."""
    clock, health = make()
    periods = []
    for _ in range(6):
        fail(clock, health)
        periods.append(round(health.remaining))
        clock.advance(health.remaining)
    assert periods == [30, 60, 120, 240, 300, 300]


def test_one_probe() -> None:
    """When the time is up one request goes, and the others wait for what it finds out."""
    clock, health = make()
    fail(clock, health)
    assert not health.enter()
    clock.advance(30)
    assert [health.enter(), health.enter(), health.closed] == [True, False, True]
    health.answered()
    assert [health.enter(), health.closed] == [True, False]


def test_a_probe_that_tells_nothing() -> None:
    """A cancelled probe makes room for the next."""
    clock, health = make()
    fail(clock, health)
    clock.advance(30)
    assert health.enter()
    health.unknown()
    assert health.enter()


def test_success_resets() -> None:
    """After an answer the first period is short again."""
    clock, health = make()
    for _ in range(3):
        fail(clock, health)
        clock.advance(health.remaining)
    assert health.enter()
    health.answered()
    clock.advance(1)
    fail(clock, health)
    assert round(health.remaining) == 30


@pytest.mark.parametrize(("fixed", "remaining"), [(0, 0), (7, 7)])
def test_fixed(fixed: float, remaining: float) -> None:
    """What the operator set is obeyed; 0 is never."""
    clock, health = make(fixed)
    for _ in range(3):
        fail(clock, health)
        assert health.remaining == remaining
        clock.advance(remaining)


def test_many_at_once_are_one_outage() -> None:
    """Requests that fail together count once."""
    clock, health = make()
    assert all(health.enter() for _ in range(10))
    clock.advance(1)
    for _ in range(10):
        health.failed(0)
    assert health.remaining == 30


def test_answers_meanwhile() -> None:
    """One slow answer is no outage while others are answered."""
    clock, health = make()
    health.enter()
    clock.advance(5)
    health.enter()
    health.answered()
    clock.advance(5)
    health.failed(0)
    assert not health.closed


def test_jitter() -> None:
    """Without a fixed period, restarts of many are spread a little."""
    clock = Clock()
    clock.advance(1)
    seen = set()
    for _ in range(20):
        health = Health(clock)
        health.failed(0)
        seen.add(health.remaining)
    assert len(seen) > 1
    assert all(27 <= each <= 33 for each in seen)


def test_doubt_without_a_period() -> None:
    """An upstream that is never left alone may be doubted all the same, until it answers."""
    clock, health = make(0)
    fail(clock, health)
    assert (health.doubtful, health.closed, health.enter(), health.enter()) == (True, False, True, True)
    health.answered()
    assert not health.doubtful


def test_hosts_are_judged_by_themselves() -> None:
    """One that is down says nothing about another; it says when it is tried again."""
    clock = Clock()
    clock.advance(1)
    hosts = Hosts(clock)
    dead, alive = Origin("https", "dead.example", 443), Origin("https", "alive.example", 443)
    hosts.enter(dead).failed(0)
    with pytest.raises(RegproxyError, match=r"dead\.example:443 could not be reached") as caught:
        hosts.enter(dead)
    assert (caught.value.kind, 27 <= (caught.value.retry_after or 0) <= 33) == (Kind.UPSTREAM_DOWN, True)
    hosts.enter(alive).answered()
    assert [hosts.of(dead).doubtful, hosts.of(alive).doubtful] == [True, False]


def test_hosts_are_bounded() -> None:
    """Redirects may lead to any number of hosts; those that were asked least lately are forgotten."""
    hosts = Hosts(Clock())
    first = hosts.of(Origin("https", "first.example", 443))
    for number in range(HOSTS):
        hosts.of(Origin("https", f"{number}.example", 443))
    assert hosts.of(Origin("https", "first.example", 443)) is not first


@pytest.mark.parametrize(
    ("error", "timed_out", "doubtful"),
    [
        (RegproxyError(Kind.UPSTREAM_DOWN, ""), False, True),
        (RegproxyError(Kind.UPSTREAM_BAD, ""), False, False),
        (CancelledError(), True, True),
        (CancelledError(), False, False),
    ],
)
def test_what_an_end_tells(error: Exception, timed_out: bool, doubtful: bool) -> None:  # noqa: FBT001 - cases of a table
    """Nonsense is an answer; a client that gave up says nothing."""
    clock = Clock()
    clock.advance(1)
    health = Health(clock)
    assert health.enter()
    health.ended(error, 0.5, "/a", timed_out=timed_out)
    assert health.doubtful is doubtful


def test_one_address_that_is_hung_up_on_is_no_outage() -> None:
    """A handler that crashes takes nothing else with it; a second address without an answer between does."""
    clock = Clock()
    clock.advance(1)
    health = Health(clock)

    def hung_up_on(url: str) -> bool:
        assert health.enter()
        health.ended(HungUpError(Kind.UPSTREAM_DOWN, ""), clock.seconds(), url, timed_out=False)
        return health.closed

    assert [hung_up_on("/crash") for _ in range(3)] == [False] * 3
    clock.advance(1)
    health.answered()
    clock.advance(1)
    assert [hung_up_on("/other"), hung_up_on("/crash")] == [False, True]


def test_whoever_was_away_and_hangs_up_is_still_away() -> None:
    """The one request that may try learns nothing good."""
    clock, health = make()
    fail(clock, health)
    clock.advance(health.remaining)
    assert health.enter()
    health.ended(HungUpError(Kind.UPSTREAM_DOWN, ""), clock.seconds(), "/a", timed_out=False)
    assert health.closed
