"""Which events a webhook wants, and how they are written and signed."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from regproxy.hooks.letters import body_of, headers_of, key_of, wants
from regproxy.model.settings import Webhook
from regproxy.telemetry.events import Event, What


def event(what: What = What.DEPLOYED, **about: Any) -> Event:
    """One."""
    return Event(ts=1_700_000_000.25, event=what, **{"repository": "r", "path": "a/b", **about})


def hook(**settings: Any) -> Webhook:
    """One."""
    return Webhook(name="h", url="https://h.example", **settings)


@pytest.mark.parametrize(
    ("settings", "happened", "expected"),
    [
        ({}, event(), True),
        ({}, event(What.LOGIN), False),
        ({"events": ("login",)}, event(What.LOGIN, repository="", path=""), True),
        ({"events": ("login",), "repositories": ("r",)}, event(What.LOGIN, repository="", path=""), False),
        ({"repositories": ("s",)}, event(), False),
        ({"repositories": ("s", "r")}, event(), True),
        ({"includes_pattern": "a/**"}, event(), True),
        ({"includes_pattern": "a/**"}, event(path="c"), False),
        ({"excludes_pattern": "a/**"}, event(), False),
        ({"includes_pattern": "a/*"}, event(What.DELETED, path="a/b/"), True),
    ],
)
def test_wants(settings: dict[str, Any], happened: Event, *, expected: bool) -> None:
    """By kind, repository and path."""
    assert wants(hook(**settings), happened) is expected


def test_the_body() -> None:
    """What is empty is left out."""
    assert json.loads(body_of(event(user="ann", sha256="ab", size=3))) == {
        "type": "artifact.deployed",
        "timestamp": "2023-11-14T22:13:20.250Z",
        "domain": "artifact",
        "event_type": "deployed",
        "data": {"repo_key": "r", "path": "a/b", "name": "b", "sha256": "ab", "size": 3, "user": "ann"},
    }


@pytest.mark.parametrize("secret", ["plain text", "whsec_" + base64.b64encode(b"0123456789").decode()])
def test_the_signature(secret: str) -> None:
    """Over id, time and body."""
    headers = headers_of("evt_1", b"{}", secret, 1700.9)
    digest = hmac.new(key_of(secret), b"evt_1.1700.{}", hashlib.sha256).digest()
    assert headers == {
        "content-type": "application/json",
        "webhook-id": "evt_1",
        "webhook-timestamp": "1700",
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
    assert "webhook-signature" not in headers_of("evt_1", b"{}", "", 1.0)


def test_keys() -> None:
    """Base64 behind its prefix, else the text itself."""
    assert (b"abc", b"abc") == (key_of("whsec_YWJj"), key_of("abc"))
    with pytest.raises(ValueError, match="base64"):
        key_of("whsec_*")
