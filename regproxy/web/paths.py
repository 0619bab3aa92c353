"""From the raw path of a request line to its segments: the one place where a path is split and percent-decoded.

Every segment is decoded once, as UTF-8, and nothing decodes it again. What is never decided here twice is refused here once:
control characters, backslashes, ``.`` and ``..`` segments in any spelling, invalid UTF-8, broken escapes, a fragment, any form
but the origin form. An encoded slash stays inside its segment and is marked: a format has to allow it. Empty segments (``//``)
are kept as ``""``. Pure.
"""

import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from attrs import frozen

from regproxy.errors import Kind, RegproxyError

PATH_LIMIT = 8 << 10
REMEMBERED = 4096
REMEMBERED_LENGTH = 512

_NONE: frozenset[int] = frozenset()
# The printable characters of ASCII without "%", "#", "?" and backslash.
_PLAIN = re.compile(rb"/[!\"$&'()*+,\-./0-9:;<=>@A-Z\[\]^_`a-z{|}~]*")
_PRINTABLE = re.compile(rb"/[!-~]*")
_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\\\\]")
_DOTS = frozenset({".", ".."})


@frozen
class SplitPath:
    """A path that may be believed.

    Attributes:
        segments: decoded; ``/`` alone is one empty segment, and a slash at the end makes a last empty one.
        raw_segments: as they were sent.
        encoded_slash: positions of segments with a ``%2F`` in them.
    """

    segments: tuple[str, ...]
    raw_segments: tuple[bytes, ...]
    encoded_slash: frozenset[int] = _NONE


def _invalid(text: str) -> RegproxyError:
    return RegproxyError(Kind.INVALID, text)


def _segment(raw: bytes) -> str:
    try:
        segment = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise _invalid("the path is not UTF-8") from None
    if _CONTROL.search(segment):
        raise _invalid("a control character or a backslash in the path")
    if "/" in segment and not all(segment.split("/")):
        raise _invalid("an encoded slash beside nothing in the path")
    return segment


def split_path(raw: bytes) -> SplitPath:
    """Split and decode the path of a request, without its query; ``RegproxyError`` (INVALID) for what is refused."""
    if len(raw) > PATH_LIMIT:
        raise _invalid("the path is too long")
    return _split(raw) if len(raw) > REMEMBERED_LENGTH else _split_once(raw)


def _split(raw: bytes) -> SplitPath:
    raw_segments = tuple(raw[1:].split(b"/"))
    if _PLAIN.fullmatch(raw):
        segments = tuple(raw[1:].decode("ascii").split("/"))
        if b"/." in raw and not _DOTS.isdisjoint(segments):
            raise _invalid("a dot segment in the path")
        return SplitPath(segments, raw_segments)
    if not _PRINTABLE.fullmatch(raw) or b"#" in raw or b"?" in raw:
        raise _invalid("not an absolute path of printable characters")
    if _BROKEN.search(raw):
        raise _invalid("a broken percent escape in the path")
    segments = tuple(_segment(segment) for segment in raw_segments)
    if not _DOTS.isdisjoint(part for segment in segments for part in segment.split("/")):
        raise _invalid("a dot segment in the path")
    return SplitPath(segments, raw_segments, frozenset(at for at, segment in enumerate(segments) if "/" in segment))


# Hot paths are split once; the long ones, which could fill the memory, each time.
_split_once = lru_cache(maxsize=REMEMBERED)(_split)
