"""What systemd is told (sd_notify(3)): ready, reloading, stopping, a line of status, and that the reactor still turns.

One datagram for each message to the socket that ``NOTIFY_SOCKET`` names; without the variable nothing is sent. The variables are
taken out of the environment, so that no program that is run here speaks in our name. A message that cannot be sent is dropped:
whether somebody listens is not our concern, and nothing here may wait.
"""

import contextlib
import os
import socket
import time
from collections.abc import MutableMapping
from typing import Self

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

_MICROSECONDS = 1_000_000


@define(eq=False)
class Notify:
    """Speaks to the service manager, if there is one; ``watchdog`` is the seconds within which it wants to hear of us."""

    _clock: IReactorTime
    _address: str = ""
    watchdog: float = 0.0
    _socket: socket.socket | None = field(default=None, init=False)
    _feeding: IDelayedCall | None = field(default=None, init=False)

    @classmethod
    def of(cls, clock: IReactorTime, environment: MutableMapping[str, str]) -> Self:
        """Take what the manager left in the environment; a watchdog that is meant for another process is none."""
        address = environment.pop("NOTIFY_SOCKET", "")
        period, process = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        meant = period.isdigit() and process in ("", str(os.getpid()))
        return cls(clock, address, int(period) / _MICROSECONDS if meant and address else 0.0)

    def ready(self, status: str) -> None:
        """Serving, from the start or after a reload; the watchdog is fed from now on."""
        self._send("READY=1", f"STATUS={status}")
        if self.watchdog and self._feeding is None:
            self._feed()

    def reloading(self) -> None:
        """Reading the configuration again; ``ready`` ends it."""
        # The time stamp has to come in the same datagram, by the clock that systemd uses itself.
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self, seconds: float) -> None:
        """On the way out, which takes so long at most: systemd is not to lose its patience before."""
        self._send("STOPPING=1", f"EXTEND_TIMEOUT_USEC={int(seconds * _MICROSECONDS)}")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        self._send(f"STATUS={text}")

    def close(self) -> None:
        """Say no more."""
        if self._feeding is not None:
            self._feeding.cancel()
            self._feeding = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _feed(self) -> None:
        """A reactor that stands still does not come here, and systemd starts another one in its place."""
        self._send("WATCHDOG=1")
        self._feeding = self._clock.callLater(self.watchdog / 2, self._feed)

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError):
            self._socket.sendto("\n".join(lines).encode(), address)
