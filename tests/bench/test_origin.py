"""What the origins understand and have sent, and what a program has used."""

import pytest

from bench.far import span
from bench.origins import sent_in
from bench.programs import ticks_of


def test_bytes_sent() -> None:
    """Bodies only, and only of what was asked about."""
    log = [
        "GET 200 100 /v2/bench/image/blobs/sha256:aa -",
        "GET 206 30 /v2/bench/image/blobs/sha256:aa TLS_AES_256_GCM_SHA384",
        "HEAD 200 0 /v2/bench/image/blobs/sha256:aa -",
        "GET 200 7 /v2/bench/image/blobs/sha256:bb -",
    ]
    assert sent_in(log, "sha256:aa") == 130


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (None, (0, 10, 200)),
        ("bytes=0-3", (0, 4, 206)),
        ("bytes=4-", (4, 10, 206)),
        ("bytes=4-99", (4, 10, 206)),
        ("bytes=10-", (0, 10, 200)),
        ("bytes=-3", (0, 10, 200)),
        ("bytes=0-1,3-4", (0, 10, 200)),
    ],
)
def test_ranges_of_the_far_origin(asked: str | None, wanted: tuple[int, int, int]) -> None:
    """One range; anything else is the whole file."""
    assert span(asked, 10) == wanted


def test_ticks_count_children_that_have_ended() -> None:
    """User and system, own and those of children; a name with spaces and brackets does not move the fields."""
    assert ticks_of("7 (a ) b) S 1 7 7 0 -1 4194560 100 200 0 0 11 22 33 44 20 0 1 0") == 110
