"""Conditional requests, RFC 9110 section 13, as pure functions over what a client sent and what we hold."""

from datetime import UTC
from email.utils import parsedate_to_datetime

from attrs import frozen

from regproxy.model.headers import Headers


def is_strong(etag: str) -> bool:
    """Whether an entity tag is well formed and strong."""
    return len(etag) >= 2 and etag[0] == '"' and etag[-1] == '"' and '"' not in etag[1:-1]  # noqa: PLR2004 - two quotes


def parse_date(text: str) -> float | None:
    """Seconds since the epoch of an HTTP date; None for anything else."""
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _opaque(tag: str) -> str:
    return tag.removeprefix("W/")


def _listed(field: str, etag: str | None, *, strongly: bool) -> bool:
    if field.strip() == "*":
        return True
    if etag is None or (strongly and not is_strong(etag)):
        return False
    # A comma may stand inside an entity tag, but no tag that we send has one: a tag that is split is no match.
    tags = [tag.strip() for tag in field.split(",")]
    return etag in tags if strongly else _opaque(etag) in [_opaque(tag) for tag in tags]


@frozen
class Conditions:
    """The conditional fields of one request."""

    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None
    if_unmodified_since: str | None = None
    if_range: str | None = None

    @classmethod
    def of(cls, headers: Headers) -> "Conditions":
        """Take them from a request's headers."""
        return cls(
            if_match=headers.joined("if-match"),
            if_none_match=headers.joined("if-none-match"),
            if_modified_since=headers.first("if-modified-since"),
            if_unmodified_since=headers.first("if-unmodified-since"),
            if_range=headers.first("if-range"),
        )

    def failed(self, etag: str | None, last_modified: str | None) -> int | None:
        """Decide in the order of RFC 9110 section 13.2.2: 412, 304, or None to answer in full."""
        if self.if_match is not None:
            if not _listed(self.if_match, etag, strongly=True):
                return 412
        elif self.if_unmodified_since is not None and _newer(last_modified, self.if_unmodified_since) is True:
            return 412
        if self.if_none_match is not None:
            return 304 if _listed(self.if_none_match, etag, strongly=False) else None
        if self.if_modified_since is not None and _newer(last_modified, self.if_modified_since) is False:
            return 304
        return None

    def range_holds(self, etag: str | None, last_modified: str | None) -> bool:
        """Whether a Range may be honoured: no If-Range, or one that is exactly what we hold (section 13.1.5)."""
        if self.if_range is None:
            return True
        wanted = self.if_range.strip()
        if wanted.startswith(('"', "W/")):
            return etag is not None and is_strong(etag) and wanted == etag
        held = parse_date(last_modified) if last_modified else None
        return held is not None and parse_date(wanted) == held


def _newer(last_modified: str | None, than: str) -> bool | None:
    held = parse_date(last_modified) if last_modified else None
    asked = parse_date(than)
    return None if held is None or asked is None else held > asked
