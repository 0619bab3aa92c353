"""Read an address of the registry API: segments behind the API root → what is asked for. Pure.

The name of an image has any number of components, and a component may itself be called ``blobs`` or ``manifests``: so an
address is read from the right. What is malformed is refused here, in the words of the specification, and no upstream hears of
it: a bad digest (DIGEST_INVALID), a bad name (NAME_INVALID). A tag that cannot exist is one that does not exist
(MANIFEST_UNKNOWN), as the conformance suite has it.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from attrs import frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.model.digest import Digest
from regproxy.model.session import NAME

NAME_LIMIT = 255
REMEMBERED = 4096
"""Hot addresses that are read once; a malformed one, which may be of any length, never stays."""

_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*")
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


class AddressError(RegproxyError):
    """An address that names nothing; ``code`` is the specification's word for why."""

    def __init__(self, kind: Kind, code: str, text: str) -> None:
        super().__init__(kind, text)
        self.code = code


@frozen
class Ping:
    """``/v2/``: is this a registry."""


@frozen(cache_hash=True)
class Manifest:
    """A manifest, by its tag or by its digest."""

    name: str
    reference: str | Digest


@frozen(cache_hash=True)
class Layer:
    """A blob: layer, configuration or whatever an artifact consists of."""

    name: str
    digest: Digest


@frozen(cache_hash=True)
class Tags:
    """The list of an image's tags."""

    name: str


@frozen(cache_hash=True)
class Referrers:
    """What refers to a manifest: signatures, attestations, bills of materials."""

    name: str
    digest: Digest


@frozen(cache_hash=True)
class Uploads:
    """Where uploads of blobs begin."""

    name: str


@frozen(cache_hash=True)
class Begun:
    """An upload that was begun, by the name that we gave it."""

    name: str
    session: str


@frozen
class Images:
    """``_catalog``: the names of all images."""


Address = Ping | Manifest | Layer | Tags | Referrers | Uploads | Begun | Images


def parse_address(segments: Sequence[str]) -> Address:
    """Read what stands behind ``/v2`` and the repository key, if there is one; ``AddressError`` for anything malformed."""
    return _parsed(tuple(segments))


@lru_cache(maxsize=REMEMBERED)
def _parsed(segments: tuple[str, ...]) -> Address:
    match segments:
        case [] | [""]:
            return Ping()
        case ["_catalog"]:
            return Images()
        case [*_, "blobs", "uploads"] | [*_, "blobs", "uploads", _]:
            return _upload(segments)
        case [*name, "manifests", reference]:
            return Manifest(parse_name(name), parse_reference(reference))
        case [*name, "blobs", digest]:
            return Layer(parse_name(name), parse_digest(digest))
        case [*name, ("tags" | "referrers") as kind, last] if kind == "referrers" or last == "list":
            return Tags(parse_name(name)) if kind == "tags" else Referrers(parse_name(name), parse_digest(last))
        case _:
            raise AddressError(Kind.NOT_FOUND, "UNSUPPORTED", "no such address in the registry API")


def _upload(segments: tuple[str, ...]) -> Uploads | Begun:
    match segments:
        case [*name, "blobs", "uploads"] | [*name, "blobs", "uploads", ""]:
            return Uploads(parse_name(name))
        case [*name, _, _, session] if NAME.fullmatch(session):
            return Begun(parse_name(name), session)
    raise AddressError(Kind.NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", "no upload is under way here")


def parse_name(components: Sequence[str]) -> str:
    """Check the name of an image."""
    name = "/".join(components)
    if not components or len(name) > NAME_LIMIT or not all(map(_COMPONENT.fullmatch, components)):
        raise AddressError(Kind.INVALID, "NAME_INVALID", f"not the name of an image: {_shown(name)}")
    return name


def parse_reference(text: str) -> str | Digest:
    """Check a tag or a digest: only the latter has a colon."""
    if ":" in text:
        return parse_digest(text)
    if not TAG.fullmatch(text):
        raise AddressError(Kind.NOT_FOUND, "MANIFEST_UNKNOWN", f"not a tag: {_shown(text)}")
    return text


def parse_digest(text: str) -> Digest:
    """Check a digest of one of the two algorithms that the specification registers."""
    if not _DIGEST.fullmatch(text):
        raise AddressError(Kind.INVALID, "DIGEST_INVALID", f"not a sha256 or sha512 digest: {_shown(text)}")
    return Digest.parse(text)


def _shown(text: str) -> str:
    return ascii(text[:80])
