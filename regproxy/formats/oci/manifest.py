"""What is read of a manifest that is pushed: what it is, what it refers to, what it says about itself. Pure.

Bytes are kept as they came, whatever else is in them. ``AddressError`` (MANIFEST_INVALID) says what is wrong.
"""

import json
from typing import Any

from attrs import frozen

from regproxy.errors import Kind
from regproxy.formats.oci.address import AddressError, parse_digest
from regproxy.formats.oci.plan import INDEX, MANIFEST_TYPES
from regproxy.model.digest import Digest

LIMIT = 8 << 20
"""Engines refuse manifests of more than 4 MiB or so."""

_IMAGE, _LIST, _V2 = MANIFEST_TYPES[1:]


@frozen
class Manifest:
    """One manifest.

    Attributes:
        layers: blobs that it consists of, and that a registry has to have.
        manifests: of an index, what it lists.
        artifact_type: as the referrers API shows it.
    """

    media_type: str
    layers: tuple[Digest, ...]
    manifests: tuple[Digest, ...]
    subject: Digest | None
    artifact_type: str | None
    annotations: dict[str, str]


def read_manifest(body: bytes, content_type: str | None) -> Manifest:
    """Read one; ``content_type`` is that of the request."""
    try:
        document = json.loads(body)
        json.dumps(document, ensure_ascii=False).encode()  # half a surrogate pair could never be listed
    except (ValueError, RecursionError):
        raise _invalid("it is no JSON") from None
    if not isinstance(document, dict):
        raise _invalid("it is no JSON object")
    if document.get("schemaVersion") == 1 and "fsLayers" in document:
        raise _invalid("manifests of schema 1 are not taken")
    config = document.get("config")
    entries = [*([] if config is None else [config]), *_descriptors(document, "layers"), *_descriptors(document, "blobs")]
    subject = document.get("subject")
    return Manifest(
        _media_type(document, content_type),
        tuple(_digest(each) for each in entries if not _is_foreign(each)),
        tuple(_digest(each) for each in _descriptors(document, "manifests")),
        None if subject is None else _digest(subject),
        _artifact_type(document),
        _annotations(document),
    )


def descriptor(manifest: Manifest, digest: Digest, size: int) -> dict[str, object]:
    """How an index of referrers lists it."""
    found: dict[str, object] = {"mediaType": manifest.media_type, "digest": str(digest), "size": size}
    if manifest.artifact_type is not None:
        found["artifactType"] = manifest.artifact_type
    if manifest.annotations:
        found["annotations"] = manifest.annotations
    return found


def _media_type(document: dict[str, Any], content_type: str | None) -> str:
    """What it is: the request and the document say the same, or one of them says it."""
    said = (content_type or "").partition(";")[0].strip().lower()
    own = document.get("mediaType")
    if own is not None and not (isinstance(own, str) and own.isascii() and own.isprintable()):
        raise _invalid("its mediaType is no text")
    if said in ("", "application/json", "application/octet-stream"):
        found = own or (INDEX if "manifests" in document else _IMAGE)
    elif own is not None and own.lower() != said:
        raise _invalid(f"it calls itself {own[:80]}, and the request says {said[:80]}")
    else:
        found = own or said
    if found in (INDEX, _LIST) and "manifests" not in document:
        raise _invalid("an index without manifests")
    if found in (_IMAGE, _V2) and not isinstance(document.get("config"), dict):
        raise _invalid("an image without a config")
    return found


def _descriptors(document: dict[str, Any], name: str) -> list[Any]:
    found = document.get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise _invalid(f"its {name} are no list")
    return found


def _digest(entry: object) -> Digest:
    text = entry.get("digest") if isinstance(entry, dict) else None
    if not isinstance(text, str):
        raise _invalid("it refers to something without a digest")
    try:
        return parse_digest(text)
    except AddressError as error:
        raise _invalid(error.text) from error


def _is_foreign(entry: object) -> bool:
    """Whether a layer is to be got elsewhere, and may be missing here."""
    return isinstance(entry, dict) and bool(entry.get("urls"))


def _artifact_type(document: dict[str, Any]) -> str | None:
    own = document.get("artifactType")
    if isinstance(own, str) and own:
        return own
    config = document.get("config")
    found = config.get("mediaType") if isinstance(config, dict) else None
    return found if isinstance(found, str) else None


def _annotations(document: dict[str, Any]) -> dict[str, str]:
    found = document.get("annotations")
    if not isinstance(found, dict):
        return {}
    return {name: text for name, text in found.items() if isinstance(text, str)}


def _invalid(text: str) -> AddressError:
    return AddressError(Kind.INVALID, "MANIFEST_INVALID", f"the manifest cannot be taken: {text}")
