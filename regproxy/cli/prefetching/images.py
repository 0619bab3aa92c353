"""What an image consists of: its manifests, for all platforms or some, and their blobs."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from attrs import frozen

from regproxy.cli.prefetching.gathering import Item
from regproxy.cli.prefetching.server import Got

_LISTS = frozenset({"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"})
ACCEPT = ", ".join([
    *sorted(_LISTS),
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
])  # fmt: skip
_ELSEWHERE = ("foreign", "nondistributable")


@frozen
class Images:
    """Those of one repository; without platforms, all of them."""

    _repository: str
    _platforms: Collection[str]

    def item(self, reference: str) -> Item:
        """The manifest that ``IMAGE[:TAG][@DIGEST]`` names."""
        name, at, digest = reference.partition("@")
        head, slash, last = name.rpartition("/")
        image, colon, tag = last.partition(":")
        return self._manifest(f"{head}{slash}{image}", digest if at else tag if colon else "latest", reference)

    def _manifest(self, image: str, reference: str, name: str, size: int = 0) -> Item:
        path = f"/v2/{self._repository}/{quote(image)}/manifests/{quote(reference, safe=':')}"
        return Item(path, name, ACCEPT, lambda got: self._parts(image, got), size)

    def _parts(self, image: str, got: Got) -> Iterable[Item]:
        document = msgspec.json.decode(got.body, type=dict[str, Any])
        listed = document.get("manifests")
        if isinstance(listed, list):
            return [self._listed(image, each) for each in self._chosen(listed)]
        blobs: Sequence[dict[str, Any]] = [each for each in (document.get("config"), *document.get("layers", ())) if each]
        if not blobs and "fsLayers" in document:
            blobs = [{"digest": each["blobSum"]} for each in document["fsLayers"]]
        return [self._blob(image, each) for each in blobs if not any(word in str(each.get("mediaType")) for word in _ELSEWHERE)]

    def _chosen(self, listed: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
        """Those of the wanted platforms; ``ValueError`` if there is none of one."""
        if not self._platforms:
            return listed
        names = [(each, _names(each.get("platform") or {})) for each in listed]
        missing = set(self._platforms).difference(*(found for _, found in names))
        if missing:
            raise ValueError(f"it is not there for {', '.join(sorted(missing))}")
        return [each for each, found in names if not found.isdisjoint(self._platforms)]

    def _listed(self, image: str, each: dict[str, Any]) -> Item:
        return self._manifest(image, str(each["digest"]), f"{image}@{each['digest']}", int(each.get("size", 0)))

    def _blob(self, image: str, described: dict[str, Any]) -> Item:
        digest = str(described["digest"])
        path = f"/v2/{self._repository}/{quote(image)}/blobs/{quote(digest, safe=':')}"
        return Item(path, f"{image}@{digest}", size=int(described.get("size", 0)))


def _names(platform: dict[str, Any]) -> frozenset[str]:
    """``linux/arm64``, and ``linux/arm64/v8``."""
    words = [str(platform.get(name) or "") for name in ("os", "architecture", "variant")]
    return frozenset("/".join(filter(None, words[:most])) for most in (2, 3))
