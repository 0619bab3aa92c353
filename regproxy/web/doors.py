"""How many clients are let in: in all, and from one address.

When all places are taken the ports rest: who comes then waits in the kernel's queue, and is served when somebody leaves. That
keeps descriptors for what is running, for its files, and for logs. An address that holds too many connections is refused further
ones at once; proxies in front of us are not, since they speak for many. An IPv6 client is his /64.
"""

from collections.abc import Callable
from typing import Any

from attrs import define, field

from regproxy.web.clients import Trusted, counted

NEAR = 128


@define(eq=False)
class Doors:
    """Counts connections; 0 is no limit. ``refused`` is told of each that was closed for its address's sake.

    Attributes:
        open: how many there are.
    """

    _places: int = 0
    _places_each: int = 0
    trusted: Trusted = field(factory=Trusted)
    _refused: Callable[[], None] = field(default=lambda: None)
    open: int = field(default=0, init=False)
    _ports: list[Any] = field(factory=list, init=False)
    _by_client: dict[str, int] = field(factory=dict, init=False)
    _resting: bool = field(default=False, init=False)

    def watch(self, port: Any) -> None:
        """Let a port rest when it has to: one of Twisted's, over TCP, TLS or a UNIX socket."""
        self._ports.append(port)
        self._restrain()

    def forget_ports(self) -> None:
        """They are closed."""
        self._ports.clear()

    def admits(self, host: str) -> bool:
        """Whether one more of an address may come in."""
        if not self._places_each or not host or self.trusted.covers(host):
            return True
        admitted = self._by_client.get(counted(host), 0) < self._places_each
        if not admitted:
            self._refused()
        return admitted

    def enter(self, host: str) -> None:
        """One has come in."""
        self.open += 1
        client = counted(host)
        self._by_client[client] = self._by_client.get(client, 0) + 1
        if self._places:
            if self.open >= self._places and not self._resting:
                self._resting = True
                for port in self._ports:
                    port.pauseProducing()
            self._restrain()

    def leave(self, host: str) -> None:
        """One has gone."""
        self.open -= 1
        client = counted(host)
        left = self._by_client[client] - 1
        if left:
            self._by_client[client] = left
        else:
            del self._by_client[client]
        if self._resting and self.open < self._places:
            self._resting = False
            for port in self._ports:
                port.resumeProducing()

    def _restrain(self) -> None:
        """Twisted accepts ever more in one turn while many come, and does not look whether the port rests meanwhile."""
        if self._places and self._places - self.open <= NEAR:
            for port in self._ports:
                port.numberAccepts = 1 if not self.open else 0  # becomes what this turn accepts, one at least
