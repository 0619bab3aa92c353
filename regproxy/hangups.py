"""SIGHUP from the first moment on: its own effect is the end of the process, and who rotates logs does not ask whether it serves.

What comes before there is anything to be read again is remembered, and heeded then.
"""

import signal
from collections.abc import Callable

from attrs import define
from twisted.internet.interfaces import IReactorFromThreads


@define
class _Early:
    came: bool = False

    def __call__(self, *_: object) -> None:
        self.came = True


def note_hangups() -> None:
    """Begin: a process that starts is not ended by them."""
    signal.signal(signal.SIGHUP, _Early())


def take_hangups(reactor: IReactorFromThreads, reload: Callable[[], None]) -> None:
    """Reload from now on, and now if there was one since the beginning. ``reload`` is called in the reactor."""
    before = signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(reload))
    if isinstance(before, _Early) and before.came:
        reactor.callFromThread(reload)
