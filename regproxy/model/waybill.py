"""The waybill of a body: all that has to be known to go on with it later, in another process too.

Made from upstream's first answer, before byte 0, and never changed: the first answer fixes the head. No secret is in it.
"""

import json
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen

from regproxy.model.digest import Digest
from regproxy.model.fetch import Announced
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.model.validators import is_strong

VERSION = 1


def origin_of(url: str) -> str:
    """A URL as it may be kept: no user, no query, no fragment."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@frozen
class Waybill:
    """Where a body goes, where it comes from, and what it must be.

    Attributes:
        repository, path: the node that it becomes.
        origin: the URL that was asked, without user, query and fragment.
        announced: what upstream's headers said.
        digests: what the bytes must hash to.
        validators: upstream's own ETag and Last-Modified.
    """

    repository: str
    path: str
    origin: str
    announced: Announced
    digests: tuple[Digest, ...] = ()
    validators: Headers = Headers()

    @property
    def length(self) -> int | None:
        """Bytes in the whole, if that is known."""
        return self.announced.head.length

    @property
    def validator(self) -> str | None:
        """Upstream's strong entity tag, which If-Range may name."""
        etag = self.validators.first("etag")
        return etag if etag and is_strong(etag) else None

    @property
    def can_continue(self) -> bool:
        """Whether the rest could be asked for: a known length, and something that says that it is the same body."""
        return self.length is not None and bool(self.digests or self.validator)

    def to_json(self) -> bytes:
        """Write it down (docs/design/spool.md)."""
        head = self.announced.head
        document = {
            "version": VERSION,
            "repository": self.repository,
            "path": self.path,
            "origin": self.origin,
            "length": head.length,
            "digests": [str(digest) for digest in self.digests],
            "validators": self.validators.fields,
            "head": {
                "mediaType": head.media_type,
                "etag": head.etag,
                "lastModified": head.last_modified,
                "kept": head.kept.fields,
                "sha256": head.sha256,
            },
            "promised": [str(digest) for digest in self.announced.digests],
            "also": self.announced.also,
        }
        return json.dumps(document, indent=1).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Waybill":
        """Read one; ``ValueError`` for what is none, or of another version."""
        try:
            document: Any = json.loads(data)
            if document["version"] != VERSION:
                raise ValueError("a waybill of another version")
            said = document["head"]
            head = Head(
                document["length"],
                said["mediaType"],
                said["etag"],
                said["lastModified"],
                _headers(said["kept"]),
                said["sha256"],
            )
            promised = tuple(Digest.parse(text) for text in document["promised"])
            return cls(
                document["repository"],
                document["path"],
                document["origin"],
                Announced(head, promised, tuple(document["also"])),
                tuple(Digest.parse(text) for text in document["digests"]),
                _headers(document["validators"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("not a waybill") from error


def _headers(fields: list[list[str]]) -> Headers:
    return Headers(tuple((name, value) for name, value in fields))
