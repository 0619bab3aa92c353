"""Paths are split and decoded once, and what could be read in two ways is refused."""

from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regproxy.errors import Kind, RegproxyError
from regproxy.web.paths import split_path

SEGMENT = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/\\"), max_size=12)
SPELLED = st.lists(
    st.sampled_from([b"/", b".", b"..", b"%2e", b"%2F", b"%5c", b"%00", b"%25", b"a", b"%", b"%c0%af", b"\\", b"#", b"?", b"\n"]),
    max_size=12,
).map(lambda parts: b"/" + b"".join(parts))


def encode(text: str, every: bool) -> bytes:  # noqa: FBT001 - as Hypothesis draws
    """Encode a segment: what must be, or every byte."""
    raw = text.encode()
    return b"".join(b"%%%02x" % byte for byte in raw) if every else quote_from_bytes(raw, safe="").encode()


@given(st.lists(SEGMENT.filter(lambda text: text not in (".", "..")), min_size=1, max_size=5), st.booleans())
def test_every_spelling_is_the_same_path(segments: list[str], every: bool) -> None:  # noqa: FBT001 - as Hypothesis draws
    """However much of it is encoded."""
    raw = b"/" + b"/".join(encode(segment, every) for segment in segments)
    assert split_path(raw).segments == tuple(segments)


@given(SPELLED | st.binary(max_size=40).map(lambda raw: b"/" + raw))
def test_what_is_accepted_is_harmless(raw: bytes) -> None:
    """No dot segments, controls or backslashes, also behind an encoded slash; marks are exact."""
    try:
        path = split_path(raw)
    except RegproxyError:
        return
    names = [part for segment in path.segments for part in segment.split("/")]
    assert not {".", ".."} & set(names)
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 or char == "\\" for name in names for char in name)
    assert path.encoded_slash == {at for at, segment in enumerate(path.segments) if "/" in segment}
    assert b"/" + b"/".join(path.raw_segments) == raw


@given(SPELLED, SPELLED)
def test_segments_decide_the_path(one: bytes, other: bytes) -> None:
    """Two paths with the same segments differ in their spelling only."""
    try:
        first, second = split_path(one), split_path(other)
    except RegproxyError:
        return
    canonical = [b"/".join(quote_from_bytes(s.encode(), safe="").encode() for s in path.segments) for path in (first, second)]
    assert (first.segments == second.segments) == (canonical[0] == canonical[1])


@pytest.mark.parametrize(
    ("raw", "segments"),
    [(b"/", ("",)), (b"/a/", ("a", "")), (b"//a", ("", "a")), (b"/%252e", ("%2e",)), (b"/a%2Fb", ("a/b",)), (b"/...", ("...",))],
)
def test_spellings(raw: bytes, segments: tuple[str, ...]) -> None:
    """Empty segments stay, and nothing is decoded twice."""
    assert split_path(raw).segments == segments


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"a",
        b"*",
        b"http://a/",
        b"/a#b",
        b"/a?b",
        b"/\xe4",
        b"/a b",
        b"/%",
        b"/%4",
        b"/%zz",
        b"/%ff",
        b"/%ed%a0%80",
        b"/%c2%85",
    ],
)
def test_refused(raw: bytes) -> None:
    """Other forms, broken escapes, and what is not UTF-8."""
    with pytest.raises(RegproxyError) as caught:
        split_path(raw)
    assert caught.value.kind is Kind.INVALID


def test_long_paths_are_refused() -> None:
    """Before anything looks at them."""
    with pytest.raises(RegproxyError):
        split_path(b"/" + b"a" * 8192)
