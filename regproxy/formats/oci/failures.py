"""Refusals as the clients of a registry show them: ``{"errors": [{"code", "message", "detail"}]}``. Pure.

An engine prints the message; several decide by the code. A 401 of an upstream is not passed on: the client's credentials
would not help there, ours were refused, or the image does not exist (Docker Hub says both with the same word).
"""

import json

from regproxy.formats.oci.address import Address, AddressError, Layer, Manifest
from regproxy.model.headers import Headers
from regproxy.repo.interface import Answer, Missing, Refused, Text, Unavailable

NO_HEADERS = Headers()
API_VERSION = ("docker-distribution-api-version", "registry/2.0")

_TOO_MANY = 429
_CODES = {
    400: "NAME_INVALID",
    401: "UNAUTHORIZED",
    403: "DENIED",
    404: "NAME_UNKNOWN",
    405: "UNSUPPORTED",
    413: "DENIED",  # dockerd shows the reason at once: of SIZE_INVALID it sends the layer five times more
    416: "RANGE_INVALID",
    _TOO_MANY: "TOOMANYREQUESTS",
    501: "UNSUPPORTED",
    503: "UNAVAILABLE",
}
_REFUSED_UPSTREAM = frozenset({401, 403})


def failure(answer: Missing | Refused | Unavailable) -> Text:
    """Write a refusal; a status without a word of its own is UNKNOWN."""
    match answer:
        case Missing(reason, kept):
            return error_text(404, _CODES[404], reason, kept)
        case Refused(status, reason, kept):
            return error_text(status, _CODES.get(status, "UNKNOWN"), reason, kept)
        case Unavailable(status, reason, retry_after, kept):
            if retry_after is not None:
                kept = kept.plus(("retry-after", str(retry_after)))
            return error_text(status, _CODES.get(status, "UNKNOWN"), reason, kept)


def explained(answer: Answer, address: Address) -> Answer:
    """Say of a refusal of upstream's what it means for this address; other answers stay as they are."""
    match answer:
        case Missing(reason, kept):
            return error_text(404, unknown(address), reason, kept)
        case Refused(status, reason, kept) if status in _REFUSED_UPSTREAM:
            text = f"{reason}: it does not exist there, or the credentials of this repository do not suffice"
            return error_text(403, "DENIED", text, kept)
        case Refused() | Unavailable():
            return failure(answer)
        case _:
            return answer


def bad_address(trouble: AddressError, status: int) -> Text:
    """Write down why an address names nothing."""
    return error_text(status, trouble.code, trouble.text)


def error_text(status: int, code: str, message: str, kept: Headers = NO_HEADERS) -> Text:
    """One error as the specification shapes it."""
    body = json.dumps({"errors": [{"code": code, "message": message, "detail": None}]}).encode()
    return Text(body, "application/json", headers=kept.plus(API_VERSION), status=status)


def unknown(address: Address) -> str:
    """The word for something that is not there."""
    match address:
        case Manifest():
            return "MANIFEST_UNKNOWN"
        case Layer():
            return "BLOB_UNKNOWN"
        case _:
            return "NAME_UNKNOWN"
