"""Tells when files change: inotify on the reactor, for files that are open here, by descriptor.

The kernel keeps so many events and no more. When some were lost, everybody is told as if his file had been closed, and looks.
"""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.inotify import IN_CLOSE_NOWRITE, IN_CLOSE_WRITE, IN_MODIFY, INotify, _Watch
from twisted.internet.posixbase import PosixReactorBase
from twisted.python.filepath import FilePath

MODIFIED = IN_MODIFY
CLOSED = IN_CLOSE_WRITE | IN_CLOSE_NOWRITE
_LOST = 0xFFFFFFFF
"""The watch -1, as Twisted reads it: that of events which the kernel had no room for."""


@define(eq=False)
class Watch:
    """One file, until ``stop``; that comes before its descriptor is closed."""

    _notifier: INotify
    _path: FilePath[bytes]
    _told: Callable[[bool], None]
    _live: "set[Watch]"
    _is_stopped: bool = field(default=False, init=False)

    def begin(self) -> None:
        """Watch from now on."""
        self._notifier.watch(self._path, MODIFIED | CLOSED, callbacks=[self._notified])
        self._live.add(self)

    def stop(self) -> None:
        """Hear no more."""
        if not self._is_stopped:
            self._is_stopped = True
            self._live.discard(self)
            self._notifier.ignore(self._path)

    def missed(self) -> None:
        """It may have been written to and closed."""
        self._notified(None, None, CLOSED)

    def _notified(self, _: object, __: object, mask: int) -> None:
        if not self._is_stopped:
            self._told(bool(mask & CLOSED))


@define(eq=False)
class Watches:
    """All of them; one descriptor of the kernel's, opened with the first."""

    _reactor: PosixReactorBase
    _notifier: INotify | None = field(default=None, init=False)
    _live: set[Watch] = field(factory=set, init=False)

    def watch(self, descriptor: int, told: Callable[[bool], None]) -> Watch:
        """Call ``told`` whenever the file is written to (False) or closed by somebody (True)."""
        if self._notifier is None:
            self._notifier = INotify(self._reactor)
            # Twisted passes over what it knows no watch for, and has no other place to hear of this.
            self._notifier._watchpoints[_LOST] = _Watch(FilePath(b"/"), callbacks=[self._missed])  # noqa: SLF001 - as said
            self._notifier.startReading()
        # By its descriptor: the file may have lost its name by now, or have got another one.
        watch = Watch(self._notifier, FilePath(b"/proc/self/fd/%d" % descriptor), told, self._live)
        watch.begin()
        return watch

    def _missed(self, *_: object) -> None:
        for watch in list(self._live):
            watch.missed()
