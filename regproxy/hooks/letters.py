"""Which events a webhook wants, how they are written, and how they are signed. Pure.

The signature is that of Standard Webhooks: HMAC-SHA256 over id, time and body, so that a letter can neither be changed nor sent
again much later.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from regproxy.model.patterns import Patterns
from regproxy.model.settings import Webhook
from regproxy.telemetry.events import Event, What

PREFIX = "whsec_"
DOMAINS = {
    What.LOGIN: "user",
    What.LOGIN_REFUSED: "user",
    What.USER: "user",
    What.GROUP: "user",
    What.PERMISSION: "user",
    What.TOKEN: "user",
    What.REPOSITORY: "repository",
}


@lru_cache(maxsize=256)
def _patterns(includes: str, excludes: str) -> Patterns:
    return Patterns.of(includes, excludes)


def wants(hook: Webhook, event: Event) -> bool:
    """Whether a webhook is to be told of an event."""
    if event.event.value not in hook.events:
        return False
    if not event.repository:
        return not hook.repositories or event.event is What.REPOSITORY
    if hook.repositories and event.repository not in hook.repositories:
        return False
    return _patterns(hook.includes_pattern, hook.excludes_pattern).admits(event.path.rstrip("/"))


def body_of(event: Event) -> bytes:
    """What is sent."""
    domain, happened = DOMAINS.get(event.event, "artifact"), event.event.value
    data: dict[str, object] = {
        "repo_key": event.repository,
        "path": event.path,
        "name": event.path.rstrip("/").rpartition("/")[2],
        "sha256": event.sha256,
        "size": event.size,
        "user": event.user,
        "client": event.client,
        "request_id": event.request_id,
        "subject": event.subject,
        "change": event.change,
        "action": event.action,
        "detail": event.detail,
    }
    when = datetime.fromtimestamp(event.ts, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    said = {"type": f"{domain}.{happened}", "timestamp": when, "domain": domain, "event_type": happened}
    return msgspec.json.encode({**said, "data": {name: value for name, value in data.items() if value not in ("", 0)}})


def key_of(secret: str) -> bytes:
    """The key that a secret stands for; ``ValueError`` for one that says it is base64 and is none."""
    if secret.startswith(PREFIX):
        return b64decode(secret.removeprefix(PREFIX), validate=True)
    return secret.encode()


def headers_of(name: str, body: bytes, secret: str, now: float) -> Mapping[str, str]:
    """The headers of a letter; without a secret it is not signed."""
    stamp = str(int(now))
    headers = {"content-type": "application/json", "webhook-id": name, "webhook-timestamp": stamp}
    if secret:
        signed = hmac.digest(key_of(secret), b".".join((name.encode(), stamp.encode(), body)), hashlib.sha256)
        headers["webhook-signature"] = f"v1,{b64encode(signed).decode()}"
    return headers
