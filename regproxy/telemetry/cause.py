"""For whom something is done: carried along by the context of coroutines, from a request to the fill that it begins, to the
questions that go upstream for it and to the rows that it writes.

Work of our own has ``NOBODY``. A cause holds words only, never the request: it lives as long as what it has begun.
"""

import re
from contextvars import ContextVar

from attrs import define

TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
"""A ``traceparent`` as W3C has it; anything else is passed over."""


@define
class Cause:
    """One request, or a command.

    Attributes:
        client: the address of who asks.
        trace: the client's ``traceparent``; empty without one.
        user: his name, from the moment on when it is known; empty for one who has shown nothing.
    """

    request_id: str = ""
    client: str = ""
    trace: str = ""
    user: str = ""


NOBODY = Cause()
CAUSE: ContextVar[Cause] = ContextVar("cause", default=NOBODY)
