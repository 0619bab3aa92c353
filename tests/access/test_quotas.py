"""Quotas: buckets that fill evenly, one for each whom a rule concerns."""

from typing import Any

from attrs import define, field
from twisted.internet.task import Clock

from regproxy.access.quotas import REMEMBERED, Quotas
from regproxy.model.settings import Quota


@define
class Scene:
    """Quotas on a clock."""

    clock: Clock = field(factory=Clock)
    quotas: Quotas = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.quotas = Quotas(self.clock)

    def rules(self, *rules: dict[str, Any], processes: int = 1) -> None:
        """Have these."""
        self.quotas.configure([Quota(**rule) for rule in rules], processes)

    def many(self, count: int, user: str = "ann", address: str = "192.0.2.1", repository: str = "r") -> list[int]:
        """Ask so often; what there is to be waited for each time."""
        return [self.quotas.wait(user, address, repository) for _ in range(count)]


def test_none() -> None:
    """Nothing is counted."""
    scene = Scene()
    assert not scene.quotas
    assert [0] * 100 == scene.many(100)


def test_requests() -> None:
    """A burst at once, and then as they come back; others have their own."""
    scene = Scene()
    scene.rules({"requests_per_second": 2, "burst": 4})
    assert [0, 0, 0, 0, 1] == scene.many(5)
    assert [0] == scene.many(1, "bob")
    scene.clock.advance(0.5)
    assert [0, 1] == scene.many(2)
    scene.clock.advance(3600)
    assert [0, 0, 0, 0, 1] == scene.many(5)


def test_less_than_one_a_second() -> None:
    """Says how long it takes."""
    scene = Scene()
    scene.rules({"requests_per_second": 0.1})
    assert [0, 10] == scene.many(2)
    scene.clock.advance(4)
    assert [6] == scene.many(1)


def test_bytes() -> None:
    """What is more than was left is waited for; then there is some again."""
    scene = Scene()
    scene.rules({"bytes": "1000", "period_seconds": 100})
    assert [0] == scene.many(1)
    scene.quotas.spend("ann", "192.0.2.1", "r", 1500)
    assert [51] == scene.many(1)
    assert [0] == scene.many(1, "bob")
    scene.clock.advance(51)
    assert [0] == scene.many(1)
    scene.clock.advance(1000)
    scene.quotas.spend("ann", "192.0.2.1", "r", 999)
    assert [0] == scene.many(1)


def test_whom_it_concerns() -> None:
    """By user and repository; who has no name is anonymous, and is counted by his address."""
    scene = Scene()
    scene.rules({"users": ("anonymous", "ci"), "repositories": ("r",), "requests_per_second": 0.01})
    assert [0, 0] == scene.many(2, "ann")
    assert [0, 0] == scene.many(2, "ci", repository="s")
    assert [0, 100] == scene.many(2, "ci")
    assert [0, 100] == scene.many(2, "")
    assert [0] == scene.many(1, "", "192.0.2.2")


def test_behind_a_proxy_that_does_not_say_whose_they_are() -> None:
    """Requests are nobody's, unless all share what there is."""
    scene = Scene()
    scene.rules({"requests_per_second": 0.01})
    assert [0, 0] == scene.many(2, "", "")
    scene.rules({"requests_per_second": 0.01, "shared": True})
    assert [0, 100] == scene.many(2, "", "")


def test_together_and_apart() -> None:
    """All of them share one, or each has one for each repository."""
    scene = Scene()
    scene.rules({"requests_per_second": 0.01, "shared": True})
    assert [0, 100] == [*scene.many(1, "ann"), *scene.many(1, "bob", repository="s")]
    scene.rules({"requests_per_second": 0.01, "each_repository": True})
    assert [0, 0, 100] == [*scene.many(1), *scene.many(2, repository="s")]


def test_all_rules_hold() -> None:
    """The first that is used up says so."""
    scene = Scene()
    scene.rules({"requests_per_second": 10, "burst": 100}, {"requests_per_second": 1, "burst": 2})
    assert [0, 0, 1] == scene.many(3)


def test_several_processes() -> None:
    """Each has its part, and at least one request."""
    scene = Scene()
    scene.rules({"requests_per_second": 2, "burst": 8}, processes=4)
    assert [0, 0, 2] == scene.many(3)
    scene.rules({"bytes": "1000", "period_seconds": 10}, processes=4)
    scene.quotas.spend("ann", "", "r", 250)
    assert [1] == scene.many(1)


def test_a_reload_forgets_nothing() -> None:
    """Of a rule that is as before."""
    scene = Scene()
    rule = {"requests_per_second": 0.01}
    scene.rules(rule)
    scene.many(1)
    scene.rules({"bytes": "1GiB"}, rule)
    assert [100] == scene.many(1)


def test_strangers_take_no_memory() -> None:
    """However many addresses there are, so many are remembered."""
    scene = Scene()
    scene.rules({"requests_per_second": 0.01})
    for number in range(REMEMBERED + 10):
        scene.many(1, "", str(number))
    assert len(scene.quotas._rules[0]._requests) == REMEMBERED
