"""Refusals in the registry's own shape."""

import json

import pytest

from regproxy.formats.oci.address import Layer, Manifest, Tags
from regproxy.formats.oci.failures import explained, failure
from regproxy.model.digest import Digest
from regproxy.model.headers import Headers
from regproxy.repo.interface import Answer, Missing, Refused, Text, Unavailable


def shown(text: Answer) -> tuple[int, str, str]:
    """Status, code and message of an error."""
    assert isinstance(text, Text)
    (error,) = json.loads(text.body)["errors"]
    assert text.media_type == "application/json"
    assert text.headers.first("docker-distribution-api-version") == "registry/2.0"
    return text.status, error["code"], error["message"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Missing("gone"), (404, "NAME_UNKNOWN", "gone")),
        (Refused(403, "by rule x"), (403, "DENIED", "by rule x")),
        (Refused(405, "read only"), (405, "UNSUPPORTED", "read only")),
        (Refused(418, "?"), (418, "UNKNOWN", "?")),
        (Unavailable(502, "down"), (502, "UNKNOWN", "down")),
        (Unavailable(503, "away"), (503, "UNAVAILABLE", "away")),
    ],
)
def test_codes(answer: Missing | Refused | Unavailable, expected: tuple[int, str, str]) -> None:
    """Every status has a code."""
    assert expected == shown(failure(answer))


def test_rate_limit() -> None:
    """429 says when to come back, with what upstream says of the quota."""
    text = failure(Unavailable(429, "too many pulls", retry_after=7, kept=Headers.of(ratelimit_remaining="0;w=21600")))
    assert shown(text) == (429, "TOOMANYREQUESTS", "too many pulls")
    assert (text.headers.first("retry-after"), text.headers.first("ratelimit-remaining")) == ("7", "0;w=21600")


def test_what_is_missing() -> None:
    """The code says what kind of thing it was."""
    addresses = (Manifest("a", "t"), Layer("a", Digest.of(b"")), Tags("a"))
    codes = [shown(explained(Missing("no"), address))[1] for address in addresses]
    assert codes == ["MANIFEST_UNKNOWN", "BLOB_UNKNOWN", "NAME_UNKNOWN"]


@pytest.mark.parametrize("status", [401, 403])
def test_refusal_of_upstream_is_no_challenge(status: int) -> None:
    """The client's credentials would not help: 403, with both reasons that it may have."""
    found, code, message = shown(explained(Refused(status, "quay.io refused"), Manifest("a", "t")))
    assert (found, code) == (403, "DENIED")
    assert message.startswith("quay.io refused: it does not exist there, or the credentials")
