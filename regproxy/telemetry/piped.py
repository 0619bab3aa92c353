"""The pipe-separated lines of JFrog's logs, for those who read them already: ``artifactory-request.log``, ``-request-out.log``,
``-access.log`` and ``access-security-audit.log``. Pure.

What would end a field or a line is replaced.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from regproxy.telemetry.events import Event, What
from regproxy.telemetry.log import Asked, Exchange

ANONYMOUS = "anonymous"
_UNSAFE = re.compile(r"[\x00-\x1f\x7f|]")
_ACTIONS = {
    What.LOGIN: "ACCEPTED LOGIN",
    What.LOGIN_REFUSED: "DENIED LOGIN",
    What.DEPLOYED: "ACCEPTED DEPLOY",
    What.DELETED: "ACCEPTED DELETE",
    What.COPIED: "ACCEPTED COPY",
    What.MOVED: "ACCEPTED MOVE",
    What.CACHED: "ACCEPTED CACHED_DEPLOY",
    What.MISMATCH: "DENIED CACHED_DEPLOY",
}
_DENIED = {"read": "DOWNLOAD", "write": "DEPLOY", "delete": "DELETE", "annotate": "ANNOTATE", "manage": "MANAGE"}

E = TypeVar("E")


def stamp(ts: float) -> str:
    """UTC with milliseconds."""
    return datetime.fromtimestamp(ts, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def line(fields: Iterable[object]) -> str:
    """Fields between pipes."""
    return "|".join(_UNSAFE.sub("_", str(each)) for each in fields)


def asked(entry: Asked) -> str:
    """A line of the request log."""
    who = entry.user or ANONYMOUS
    times = (entry.status, entry.received, entry.bytes, round(entry.duration * 1000))
    return line((stamp(entry.ts), entry.request_id, entry.client, who, entry.method, entry.path, *times, entry.user_agent))


def exchange(entry: Exchange) -> str:
    """A line of the log of requests to upstreams."""
    who, milliseconds = entry.user or ANONYMOUS, round(entry.duration * 1000)
    said = (entry.method, entry.url, entry.status, 0, entry.bytes, milliseconds)
    return line((stamp(entry.ts), entry.request_id, entry.repository, who, *said))


def access(event: Event) -> str:
    """A line of the access log."""
    action = _ACTIONS.get(event.event) or f"DENIED {_DENIED.get(event.action, 'ACCESS')}"
    who = event.user or event.subject or ANONYMOUS
    place = f"{event.repository}:{event.path} " if event.repository else ""
    text = f"{place}{event.detail + ' ' if event.detail else ''}for client : {who} / {event.client}"
    return f"{stamp(event.ts)} [{_UNSAFE.sub('_', event.request_id)}] [{action}] {_UNSAFE.sub('_', text)}."


def security(event: Event) -> str:
    """A line of the security audit log."""
    who, kind = event.user or ANONYMOUS, event.event.value.upper()
    named = (event.subject, kind, f"{kind}_{event.change.upper()}", event.detail)
    return line((stamp(event.ts), event.request_id, event.client, who, who, *named))


def lines(form: Callable[[E], str]) -> Callable[[Sequence[E]], bytes]:
    """Whole lines of several entries."""
    return lambda entries: "".join(f"{form(entry)}\n" for entry in entries).encode("utf-8", "replace")
