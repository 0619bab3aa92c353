"""Waybills: written down and read again, and what they allow."""

import json

import pytest

from regproxy.model.digest import Digest
from regproxy.model.fetch import Announced
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.model.waybill import Waybill

DIGEST = Digest.of(b"x")
HEAD = Head(7, "application/x", '"a"', "Sat, 01 Jan 2000 00:00:00 GMT", Headers.of(x_kept="é"), None)
WAYBILL = Waybill("r", "a/ü", "https://upstream.example/a", Announced(HEAD, (DIGEST,), ("b",)), (DIGEST,), Headers.of(etag='"1"'))


def test_round_trip() -> None:
    """What is written is what is read."""
    assert Waybill.from_json(WAYBILL.to_json()) == WAYBILL


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"head": None}, {"digests": ["md4:00"]}, {"also": 5}, {"validators": [1]}, {"head": {}}]
)
def test_what_is_none(change: dict[str, object]) -> None:
    """Another version, or anything else, is a ``ValueError``."""
    document = json.loads(WAYBILL.to_json()) | change
    with pytest.raises(ValueError, match=r".+"):
        Waybill.from_json(json.dumps(document).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"7", b"\xff", b"{}"])
def test_what_is_no_json(data: bytes) -> None:
    """The rest of a crash."""
    with pytest.raises(ValueError, match=r".+"):
        Waybill.from_json(data)


@pytest.mark.parametrize(
    ("length", "digests", "etag", "can"),
    [
        (7, (DIGEST,), "", True),
        (7, (), '"1"', True),
        (7, (), 'W/"1"', False),
        (7, (), "", False),
        (None, (DIGEST,), '"1"', False),
    ],
)
def test_what_can_be_continued(length: int | None, digests: tuple[Digest, ...], etag: str, *, can: bool) -> None:
    """A known length, and a digest or a strong entity tag."""
    assert Waybill("r", "p", "", Announced(Head(length)), digests, Headers.of(etag=etag)).can_continue is can
