"""The Hugging Face hub, remote, local and virtual: ``docs/formats/huggingface.md``."""

from collections.abc import Mapping

from attrs import frozen
from twisted.web.resource import IResource

from regproxy.formats.huggingface import failures, plan, routes
from regproxy.formats.huggingface.local import leftovers
from regproxy.formats.huggingface.local import routes as local_routes
from regproxy.formats.huggingface.virtual import routes as virtual_routes
from regproxy.model.fetch import Fetch
from regproxy.model.patterns import Patterns
from regproxy.model.settings import RepositorySettings
from regproxy.model.want import Want
from regproxy.repo.interface import Find, Missing, Refused, Serving, Text, Unavailable, is_hosting, is_virtual
from regproxy.repo.interface_auto import AutoUrl
from regproxy.repo.tree import Tree


@frozen
class HuggingFace:
    """The format (``repo.interface.Format``)."""

    package_types: frozenset[str] = frozenset({"huggingfaceml"})
    rclasses: frozenset[str] = frozenset({"remote", "local", "virtual"})
    api: str | None = "huggingfaceml"
    auto: AutoUrl | None = None

    def resource(self, serving: Serving) -> IResource:
        """Serve one repository below ``/api/huggingfaceml/{repo}``."""
        if is_hosting(serving.repository):
            return local_routes.resource_for(serving, serving.repository)
        if is_virtual(serving.repository):
            return virtual_routes.resource_for(serving)
        return routes.resource_for(serving)

    def mounts(self, find: Find) -> Mapping[bytes, IResource]:  # noqa: ARG002 - has none
        """No address of its own."""
        return {}

    def plan(self, want: Want, settings: RepositorySettings) -> Fetch:
        """How a hub is asked."""
        return plan.plan(want, settings)

    def admits(self, patterns: Patterns, path: str) -> bool:
        """By what lies below its repository of the hub; documents too."""
        return patterns.admits(path)

    async def tidy(self, tree: Tree, now: float) -> None:
        """Objects and xorbs that no commit has taken (``repo.interface_tidy.Tidying``)."""
        await leftovers.drop(tree, now)

    def failure(self, answer: Missing | Refused | Unavailable) -> Text:
        """A refusal as the hub's clients show it."""
        return failures.failure(answer)


FORMAT = HuggingFace()
