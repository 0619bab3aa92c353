"""Delivers letters: one at a time to each target, in their order, again and again until they are heard.

Rules: a target that fails is left alone, longer each time, with jitter, and asked by one letter then: it has a circuit of its
own, so that none waits for another one. What is older than a day is given up, and counted. Of several processes one delivers.
A letter may come twice (a stop between its answer and its row's end): it has the same name then.
"""

import random
from collections.abc import Callable, Mapping, Sequence

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from txaio.tx import make_logger

from regproxy.errors import RegproxyError
from regproxy.hooks.sending import Send
from regproxy.index.interface_outbox import Letter, Outbox
from regproxy.stream.spawn import spawn

log = make_logger()

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
OLDEST = 86_400.0
AT_ONCE = 20
LOOK_SECONDS = 1.0

Count = Callable[[str, str], None]
"""Told of a target and of what became of a letter: delivered, failed, expired."""


@define(eq=False)
class Circuit:
    """What is known of one target."""

    send: Send
    failures: int = 0
    until: float = 0.0
    is_busy: bool = False
    running: "Deferred[object] | None" = None

    def failed(self, now: float) -> float:
        """It did not hear; the seconds until it is asked again."""
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self.failures, 20)) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        self.failures += 1
        self.until = now + pause
        return pause

    def heard(self) -> None:
        """It is well."""
        self.failures, self.until = 0, 0.0


@define(eq=False)
class Delivering:
    """A job: ``step`` looks who has letters.

    Attributes:
        waiting: how many there were at the last look.
    """

    _outbox: Outbox
    _clock: IReactorTime
    _count: Count
    waiting: int = field(default=0, init=False)
    _circuits: dict[str, Circuit] = field(factory=dict, init=False)

    def configure(self, sends: Mapping[str, Send]) -> None:
        """Deliver to these from now on."""
        old, self._circuits = self._circuits, {name: Circuit(send) for name, send in sends.items()}
        for circuit in old.values():
            _cancel(circuit)
            spawn(circuit.send.close(), "closing a webhook")

    async def step(self) -> float:
        """Begin where there is something to be delivered; detached, because a target may be slow."""
        self.waiting = 0
        for name, circuit in self._circuits.items():
            if self._outbox.first(name, 1):
                self.waiting += self._outbox.waiting(name)
            if not circuit.is_busy and circuit.until <= self._clock.seconds() and self._outbox.first(name, 1):
                circuit.is_busy = True  # before it begins: it may end at once
                circuit.running = spawn(self._deliver(name, circuit), f"delivering to {name}")
        return LOOK_SECONDS

    def pause(self) -> None:
        """Leave it to another process; the next ``step`` begins again."""
        for circuit in self._circuits.values():
            _cancel(circuit)

    async def close(self) -> None:
        """Deliver no more."""
        self.pause()
        for circuit in self._circuits.values():
            await circuit.send.close()

    async def _deliver(self, name: str, circuit: Circuit) -> None:
        try:
            while letters := self._outbox.first(name, AT_ONCE):
                if not await self._all(name, circuit, letters):
                    return
        except CancelledError:
            return  # the row that was about to go comes again
        finally:
            circuit.is_busy = False

    async def _all(self, name: str, circuit: Circuit, letters: Sequence[Letter]) -> bool:
        for letter in letters:
            try:
                await circuit.send(letter)
            except RegproxyError as error:
                await self._failed(name, circuit, letter, error)
                return False
            circuit.heard()
            self._count(name, "delivered")
            await self._outbox.drop(letter)
        return True

    async def _failed(self, name: str, circuit: Circuit, letter: Letter, error: RegproxyError) -> None:
        now = self._clock.seconds()
        pause = circuit.failed(now)
        self._count(name, "failed")
        if circuit.failures == 1:
            text = f"{error.text}; it is tried again, first in {pause:.1f} s"
            log.warn("webhook {name} {text}", name=name, text=text)  # noqa: G010 - txaio's name
        if now - letter.created > OLDEST:
            self._count(name, "expired")
            await self._outbox.drop(letter)


def _cancel(circuit: Circuit) -> None:
    if circuit.is_busy and circuit.running is not None:
        circuit.running.cancel()
