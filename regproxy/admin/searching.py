"""How many searches there may be at once in one process: they read the index, and take threads and time from those who fetch.

So many run, further ones wait in their order, and nobody, by name or by address, has more than a part of the places to wait in.
"""

from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, field
from twisted.internet.defer import DeferredSemaphore

from regproxy.errors import Kind, RegproxyError
from regproxy.repo.interface import Text
from regproxy.web.request import ProxyRequest

AT_ONCE = 3
WAITING, WAITING_EACH = 20, 10
_AGAIN = 5


@define(eq=False)
class Searches:
    """One for a process."""

    _turns: DeferredSemaphore = field(factory=lambda: DeferredSemaphore(AT_ONCE), init=False)
    _waiting: Counter[str] = field(factory=Counter, init=False)

    async def run(self, request: ProxyRequest, search: Callable[[], Coroutine[Any, Any, Text]]) -> Text:
        """Search when it is his turn; ``RegproxyError`` (UPSTREAM_BUSY) where too many wait."""
        principal = request.principal
        who = principal.name if principal is not None and principal.is_user else request.accountable
        if self._waiting.total() >= WAITING or self._waiting[who] >= WAITING_EACH:
            raise RegproxyError(Kind.UPSTREAM_BUSY, "too many searches are under way: try again later", retry_after=_AGAIN)
        self._waiting[who] += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting[who] -= 1
            if not self._waiting[who]:
                del self._waiting[who]
        try:
            return await search()
        finally:
            self._turns.release()
