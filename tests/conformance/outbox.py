"""What every ``Outbox`` does. A test module gives the fixture ``mail`` and subclasses ``OutboxContract``."""

from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred

from regproxy.index.interface_outbox import Letter, Outbox


@frozen
class Mail:
    """An outbox, and how to wait for its changes."""

    outbox: Outbox
    wait: Callable[[Deferred[Any]], Any]

    def put(self, target: str, *names: str, most: int = 100) -> int:
        """Queue some."""
        return int(self.wait(self.outbox.put([Letter(target, name, 1.5, name.encode()) for name in names], most)))

    def names(self, target: str, limit: int = 100) -> list[str]:
        """What waits for a target."""
        return [letter.name for letter in self.outbox.first(target, limit)]


class OutboxContract:
    """Behaviour that callers may rely on."""

    def test_a_queue_for_each_target(self, mail: Mail) -> None:
        """In their order, as they were."""
        assert mail.put("a", "1", "2", "3") == 0
        assert mail.put("b", "4") == 0
        assert (["1", "2"], ["4"], []) == (mail.names("a", 2), mail.names("b"), mail.names("c"))
        letter = mail.outbox.first("b", 1)[0]
        assert ("b", "4", 1.5, b"4", True) == (letter.target, letter.name, letter.created, letter.body, letter.id > 0)
        assert (3, 1, 0) == tuple(map(mail.outbox.waiting, "abc"))

    def test_what_was_heard_leaves(self, mail: Mail) -> None:
        """And nothing else does."""
        mail.put("a", "1", "2")
        mail.wait(mail.outbox.drop(mail.outbox.first("a", 1)[0]))
        assert ["2"] == mail.names("a")

    def test_it_is_bounded(self, mail: Mail) -> None:
        """By target; what comes last is lost, and counted."""
        assert mail.put("a", "1", "2", "3", most=2) == 1
        assert mail.put("b", "4", most=2) == 0
        assert ["1", "2"] == mail.names("a")

    def test_targets_that_left(self, mail: Mail) -> None:
        """Their letters go."""
        mail.put("a", "1")
        mail.put("b", "2")
        assert mail.wait(mail.outbox.forget(["b"])) == 1
        assert ([], ["2"]) == (mail.names("a"), mail.names("b"))
        assert mail.wait(mail.outbox.forget([])) == 1
