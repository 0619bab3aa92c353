"""One event, many waiters: each gets a Deferred of its own.

A Deferred that two coroutines await gives the second one None, and cancelling one cancels both (``docs/design/decisions.md``);
therefore nothing that is shared is ever handed out as a Deferred, but as one of these.
"""

from typing import Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

T = TypeVar("T")


@define(eq=False)
class OneShot(Generic[T]):
    """Fires once, with a value or a failure."""

    _outcome: "tuple[T] | Failure | None" = field(default=None, init=False)
    _waiting: "list[Deferred[T]]" = field(factory=list, init=False)

    @property
    def fired(self) -> bool:
        """Whether it has happened."""
        return self._outcome is not None

    def when(self) -> "Deferred[T]":
        """A fresh Deferred; cancelling it concerns nobody else."""
        match self._outcome:
            case None:
                waiter: Deferred[T] = Deferred(self._waiting.remove)
                self._waiting.append(waiter)
                return waiter
            case Failure() as failure:
                return fail(failure)
            case (value,):
                return succeed(value)

    def fire(self, value: T) -> None:
        """Tell everybody; a second call is a mistake of the caller."""
        self._settle((value,))

    def fail(self, failure: Failure) -> None:
        """Tell everybody that it failed."""
        self._settle(failure)

    def _settle(self, outcome: "tuple[T] | Failure") -> None:
        if self._outcome is not None:
            raise RuntimeError("this has already happened")
        self._outcome = outcome
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if isinstance(outcome, Failure):
                waiter.errback(outcome)
            else:
                waiter.callback(outcome[0])
