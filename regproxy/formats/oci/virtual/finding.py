"""Which member a manifest or a blob comes from.

Rules, beside those of ``repo.virtual``:

1. Of an image that a local member has, whatever is asked by tag comes from local members and those that come first by
   configuration, and so does what is asked by digest: but that is taken from wherever it is held, too, for a digest says it all.
2. What is only attached to an image (signatures, attestations) makes nobody its owner (``Contents.owns``).
3. What is asked by digest and held nowhere is probably where other parts of that image came from: such a member is asked first.
4. A member that refuses is one that does not have it, and its reason is told: a push asks for all that it is about to bring, and
   its client gives up at any answer but 404.
"""

from attrs import define, field

from regproxy.errors import RegproxyError
from regproxy.formats.oci.address import Layer, Manifest
from regproxy.formats.oci.contents import Contents
from regproxy.formats.oci.names import want_for
from regproxy.formats.oci.registry import artifact
from regproxy.model.access import Action
from regproxy.model.digest import Digest
from regproxy.repo.interface import Answer, Missing, Refused, Serving, ServingSeveral
from regproxy.repo.virtual import first, in_order, is_trusted
from regproxy.web.request import ProxyRequest


@define(eq=False)
class Owned:
    """Whether an image is a local member's: looked up once, when it first matters."""

    _serving: ServingSeveral
    _image: str
    _owners: list[Serving] | None = field(default=None, init=False)

    async def __call__(self) -> bool:
        """Look, whoever may see that member."""
        if self._owners is None:
            candidates = self._serving.owners(self._image)
            self._owners = [each for each in candidates if await Contents(each).owns(self._image)]
        return bool(self._owners)

    def seen_by(self, request: ProxyRequest) -> bool:
        """Whether it was looked up, and who asks may know."""
        return any(each.permits(request, Action.READ, f"{self._image}/") for each in self._owners or ())


async def find(
    serving: ServingSeveral, request: ProxyRequest, address: Manifest | Layer, *, body: bool, asks_all: bool = False
) -> tuple[Serving | None, Answer]:
    """Who has it, and what he answers; with ``asks_all`` it does not matter whose the name is. ``RegproxyError`` to log in."""
    members = serving.members(request, want_for(address, "").path)
    wants = {member: want_for(address, member.repository.settings.url) for member in members}
    is_owned = Owned(serving, address.name)

    holding = {member for member in members if member.repository.has(wants[member].path, wants[member].digest)}
    is_named_by_digest = isinstance(address, Layer) or isinstance(address.reference, Digest)
    absent = Missing(f"no member of {serving.repository.key} has it")

    async def ask(member: Serving) -> Answer:
        may_speak = asks_all or is_trusted(member) or (is_named_by_digest and member in holding)
        if not may_speak and await is_owned():
            return absent
        member.permit(request, Action.READ, wants[member].path)
        return await artifact(member, address, body=body)

    if is_named_by_digest and not holding:
        known = [member for member in members if await member.tree.folder(f"{wants[member].name}/") is not None]
    else:
        known = [member for member in members if member in holding]
    found, answer = await first(in_order(members, lambda member: member in known), ask, absent)
    if answer is absent and is_owned.seen_by(request):
        text = f"{absent.reason}; {address.name} is a local image, for which other members are not asked (sharedNamesPattern)"
        return None, Missing(text)
    return found, Missing(answer.reason, answer.kept) if isinstance(answer, Refused) else answer


def may_deploy(serving: ServingSeveral, request: ProxyRequest, path: str) -> bool:
    """Whether who asks may put something there: perhaps he is about to."""
    try:
        member, _ = serving.deployment(request)
    except RegproxyError:
        return False
    return member.permits(request, Action.WRITE, path)
