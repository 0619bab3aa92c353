"""A virtual repository of images as a registry: what is asked of it, and what is put into one of its members through it."""

from attrs import frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.oci.address import Address, AddressError, Begun, Images, Layer, Manifest, Ping, Referrers, Tags, Uploads
from regproxy.formats.oci.contents import path_of
from regproxy.formats.oci.failures import error_text, explained
from regproxy.formats.oci.push import Push, Sources
from regproxy.formats.oci.registry import Asked, ping
from regproxy.formats.oci.virtual.finding import find, may_deploy
from regproxy.formats.oci.virtual.merging import Merged
from regproxy.formats.oci.virtual.supplying import Supplying
from regproxy.repo.interface import Missing, ServingSeveral, Unavailable
from regproxy.web.request import ProxyRequest


@frozen
class Several:
    """Answers one request to one virtual repository."""

    _serving: ServingSeveral
    _request: ProxyRequest

    async def read(self, asked: Asked) -> None:
        """Send what was asked for, to one who may read here."""
        address, merged = asked.address, Merged(self._serving, self._request)
        match address:
            case Manifest() | Layer():
                await self._artifact(address, asked)
            case Tags():
                await self._serving.send(self._request, await merged.tags(address, asked))
            case Referrers():
                await self._serving.send(self._request, await merged.referrers(address, asked))
            case Images():
                await self._serving.send(self._request, await merged.images(asked))
            case Ping():
                await self._serving.send(self._request, ping())
            case Begun() | Uploads():
                await self._serving.send(self._request, error_text(405, "UNSUPPORTED", "nothing can be read there"))

    async def _artifact(self, address: Manifest | Layer, asked: Asked) -> None:
        found, answer = await find(self._serving, self._request, address, body=asked.body)
        if isinstance(answer, Unavailable) and not asked.body and self._is_about_to_push(address):
            answer = Missing(answer.reason, answer.kept)
        await (found or self._serving).send(self._request, explained(answer, address))

    def _is_about_to_push(self, address: Manifest | Layer) -> bool:
        """Whether a HEAD is one by which a push begins: then what cannot be asked about is to be sent, whoever is down.

        Pulls do not ask for heads of blobs; of a manifest a push names the one type that it has, a pull all that it understands.
        """
        if isinstance(address, Manifest) and len(_types(self._request)) != 1:
            return False
        return may_deploy(self._serving, self._request, path_of(address))

    async def change(self, address: Address, sources: Sources, image_url: str) -> None:
        """Hand on to the member that takes uploads; every address that is told leads through here."""
        request = self._request
        try:
            member, hosting = self._serving.deployment(request)
        except RegproxyError as error:
            if error.kind is not Kind.METHOD_NOT_ALLOWED:
                raise
            request.responseHeaders.setRawHeaders("allow", ["GET, HEAD"])
            raise AddressError(error.kind, "UNSUPPORTED", error.text) from error
        supply = Supplying(self._serving, request, member, hosting)
        push = Push(member, hosting, sources, image_url, supply)
        await self._serving.send(request, await push.answer(request, address))


def _types(request: ProxyRequest) -> set[str]:
    """The media types that a client says it takes; what stands for any is none."""
    fields = ",".join(request.requestHeaders.getRawHeaders("accept", []))
    found = {each.partition(";")[0].strip().lower() for each in fields.split(",")}
    return found - {"", "*/*", "application/*"}
