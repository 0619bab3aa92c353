"""A worker: ``python -m regproxy.supervisor.worker``, started by the supervisor and by nobody else.

Its orders come on stdin, which stays open: when it ends the supervisor has died, and a worker alone must not go on over a
folder that the next server is about to open. SIGTERM ends it in good order.
"""

import contextlib
import os
import sys
from collections.abc import Callable
from typing import cast

from attrs import define
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.process import ProcessReader
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    jsonFileLogObserver,
    textFileLogObserver,
)
from twisted.python.failure import Failure

from regproxy.hangups import note_hangups
from regproxy.importing import importing
from regproxy.supervisor.orders import LOG, LONGEST, ORDERS, REPORTS, RETIRE, Orders, Report, line, read_orders

ORPHANED = 1
READ = 64 << 10


def receive_orders() -> Orders:
    """Read the first line of stdin. Blocks."""
    text = bytearray()
    while not text.endswith(b"\n") and len(text) < LONGEST:
        data = os.read(ORDERS, READ)
        if not data:
            raise SystemExit(ORPHANED)
        text += data
    return read_orders(bytes(text))


def report(what: Report) -> None:
    """Tell the supervisor, who is always listening. Blocks until the pipe has taken it."""
    left = memoryview(line(what))
    with contextlib.suppress(BrokenPipeError):  # it has died, and so shall we
        while left:
            left = left[os.write(REPORTS, left) :]


@define(eq=False)
class Lifeline:
    """Watches stdin."""

    _retire: Callable[[], None]

    def childDataReceived(self, name: str, data: bytes) -> None:  # noqa: ARG002, N802 - Twisted's
        """Take the only order that there may be."""
        if data == RETIRE:
            self._retire()

    def childConnectionLost(self, name: str, reason: Failure) -> None:  # noqa: ARG002, N802 - Twisted's
        """The supervisor has died: end at once, as the whole server would have."""
        os._exit(ORPHANED)  # nothing may be tidied up that the next server looks at by now


def begin_logging(form: str, level: str) -> None:
    """Log as the supervisor does, where it does."""
    factory = jsonFileLogObserver if form == "json" else textFileLogObserver
    stream = os.fdopen(LOG, "w", encoding="utf-8", errors="backslashreplace")
    predicate = LogLevelFilterPredicate(defaultLogLevel=LogLevel.levelWithName(level))
    globalLogBeginner.beginLoggingTo([FilteringLogObserver(factory(stream), [predicate])])


def main(form: str, level: str) -> None:
    """Serve until SIGTERM."""
    # Signals of a terminal, and those that are sent to all of a group, are for the supervisor.
    os.setpgid(0, 0)
    note_hangups()
    orders = receive_orders()
    with importing():
        from twisted.internet import reactor as installed  # noqa: PLC0415 - importing it installs it

        from regproxy.formats_found import find_formats  # noqa: PLC0415 - as above
        from regproxy.service import Regproxy  # noqa: PLC0415 - as above
        from regproxy.steady import steady  # noqa: PLC0415 - as above
        from regproxy.supervisor.member import Member  # noqa: PLC0415 - as above

        find_formats()  # imports them
    reactor = cast(PosixReactorBase, installed)
    steady(reactor)
    begin_logging(form, level)
    member = Member(reactor, orders, report)
    service = Regproxy(reactor, orders.configuration, member.data_dir, member)
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    service.startService()
    ProcessReader(reactor, Lifeline(service.retire), "orders", ORDERS).startReading()
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
