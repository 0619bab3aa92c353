"""Gates and guards over a directory in memory, for tests of what stands behind them."""

from collections.abc import Iterable
from typing import cast

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock

from regproxy.access.authority import Authority
from regproxy.access.first import OPEN
from regproxy.index.memory_directory import MemoryDirectory
from regproxy.model.principals import Entry
from regproxy.model.settings import Access
from regproxy.web.addresses import BaseUrl
from regproxy.web.gate import Gate
from regproxy.web.guard import Guard
from tests.fakes.directory import put
from tests.fakes.remote import InlinePool


def gate_of(entries: Iterable[Entry] = OPEN, access: Access | None = None) -> Gate:
    """Who there is, and what they may: if nothing is said, what a server begins with."""
    directory = MemoryDirectory()
    for entry in entries:
        put(directory, entry)
    allowed = (access or Access()).anonymous
    return Gate(Authority(directory, allowed, cast(IReactorTime, Clock()), InlinePool()), BaseUrl.of("", ()))


def guard_of(access: Access | None = None, entries: Iterable[Entry] = OPEN) -> Guard:
    """One that decides by them."""
    return Guard(access or Access(), gate_of(entries, access))
