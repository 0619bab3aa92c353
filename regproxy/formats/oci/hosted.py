"""A local repository of images as a registry: what is asked of it. What is put into it: ``push.py``."""

from collections.abc import Callable, Sequence

from attrs import frozen

from regproxy.formats.oci.address import Images, Layer, Manifest, Ping, Referrers, Tags
from regproxy.formats.oci.contents import Contents, tag_of
from regproxy.formats.oci.failures import error_text, unknown
from regproxy.formats.oci.lists import images_text, page_of, referrers_text, tags_text_of
from regproxy.formats.oci.names import artifact_type
from regproxy.formats.oci.registry import Asked, artifact, ping
from regproxy.repo.interface import Answer, Missing, Serving


@frozen
class Hosted:
    """Answers for one repository; ``sees`` says of a path whether who asks may read it."""

    _serving: Serving
    _sees: Callable[[str], bool]

    async def answer(self, asked: Asked) -> Answer:
        """Find what was asked for."""
        address = asked.address
        match address:
            case Ping():
                return ping()
            case Manifest() | Layer():
                found = await artifact(self._serving, address, body=asked.body)
            case Tags():
                found = await self._tags(address, asked)
            case Referrers(name, digest):
                listed = await Contents(self._serving).referrers(name, digest)
                return referrers_text({"manifests": listed}, artifact_type(asked.query))
            case Images():
                return images_text(page_of(await self._images(), asked.query), asked.path)
            case _:
                return error_text(405, "UNSUPPORTED", "nothing can be read there")
        return error_text(404, unknown(address), found.reason) if isinstance(found, Missing) else found

    async def _images(self) -> Sequence[str]:
        return [name for name in await Contents(self._serving).images() if self._sees(f"{name}/")]

    async def _tags(self, address: Tags, asked: Asked) -> Answer:
        nodes = await Contents(self._serving).tags(address.name)
        if nodes is None:
            return Missing(f"{self._serving.repository.key} has no image {address.name}")
        tags = [tag for tag in (tag_of(node, address.name) for node in nodes if self._sees(node.path)) if tag is not None]
        return tags_text_of(address.name, page_of(tags, asked.query), asked.path)
