"""Small real images: gzipped layers, configurations, manifests for two platforms, and the index over them.

Everything is made from a seed, so that two images differ and the same one always has the same digests.
"""

import gzip
import hashlib
import io
import json
import random
import tarfile
from collections.abc import Mapping

from attrs import define, field, frozen

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTY = "application/vnd.oci.empty.v1+json"
PLATFORMS = ("amd64", "arm64")


def digest_of(data: bytes) -> str:
    """A digest as registries write it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@frozen
class Stored:
    """A manifest as it is pushed."""

    media_type: str
    body: bytes

    @property
    def digest(self) -> str:
        """Of its bytes."""
        return digest_of(self.body)

    def descriptor(self, **further: object) -> dict[str, object]:
        """What refers to it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.body), **further}


@define
class Image:
    """A multi-platform image.

    Attributes:
        blobs: configurations and layers by digest.
        manifests: one for each platform, in the order of ``PLATFORMS``.
        layers: the digests of each platform's layers.
    """

    blobs: dict[str, bytes] = field(factory=dict)
    manifests: list[Stored] = field(factory=list)
    layers: list[list[str]] = field(factory=list)

    @property
    def index(self) -> Stored:
        """What the tag names."""
        entries = [
            each.descriptor(platform={"os": "linux", "architecture": name})
            for name, each in zip(PLATFORMS, self.manifests, strict=True)
        ]
        return Stored(INDEX, _json({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}))


def build_image(seed: str = "one", big: int = 0) -> Image:
    """Make one; ``big`` bytes of noise in the last layer of every platform, which has the same bytes for all of them."""
    image = Image()
    for platform in PLATFORMS:
        layers = [_tar({"etc/seed": seed.encode(), "etc/platform": platform.encode()})]
        layers.append(_tar({"data/noise": random.Random(seed).randbytes(big or 20_000)}))
        packed = [gzip.compress(layer, compresslevel=1, mtime=0) for layer in layers]
        config = _config(platform, layers)
        image.blobs |= {digest_of(data): data for data in (*packed, config)}
        image.layers.append([digest_of(data) for data in packed])
        body = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _descriptor(CONFIG, config),
            "layers": [_descriptor(LAYER, layer) for layer in packed],
        }
        image.manifests.append(Stored(MANIFEST, _json(body)))
    return image


def build_signature(subject: Stored, text: bytes = b"signed") -> tuple[Stored, dict[str, bytes]]:
    """An artifact that refers to a manifest, with its blobs."""
    blobs = {digest_of(data): data for data in (b"{}", text)}
    body = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": "application/vnd.example.signature",
        "config": _descriptor(EMPTY, b"{}"),
        "layers": [_descriptor("text/plain", text)],
        "subject": subject.descriptor(),
    }
    return Stored(MANIFEST, _json(body)), blobs


def _descriptor(media_type: str, data: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}


def _config(platform: str, layers: list[bytes]) -> bytes:
    return _json(
        {
            "architecture": platform,
            "os": "linux",
            "created": "2024-01-01T00:00:00Z",
            "config": {"Cmd": ["/bin/true"]},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
            "history": [{"created": "2024-01-01T00:00:00Z", "created_by": "test"} for _ in layers],
        }
    )


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _json(content: object) -> bytes:
    return json.dumps(content, indent=1).encode()
