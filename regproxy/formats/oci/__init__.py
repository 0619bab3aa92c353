"""OCI and Docker registries, remote, local and virtual: ``docs/formats/oci.md``."""

from collections.abc import Mapping

from attrs import frozen
from twisted.web.resource import IResource

from regproxy.formats.oci import failures, names, plan, routes
from regproxy.model.fetch import Fetch
from regproxy.model.patterns import Patterns
from regproxy.model.settings import RepositorySettings
from regproxy.model.want import Want
from regproxy.repo.interface import Find, Missing, Refused, Serving, Text, Unavailable
from regproxy.repo.interface_auto import AutoUrl


@frozen
class Oci:
    """The format (``repo.interface.Format``)."""

    package_types: frozenset[str] = names.PACKAGE_TYPES
    rclasses: frozenset[str] = frozenset({"remote", "local", "virtual"})
    api: str | None = "docker"
    auto: AutoUrl | None = None

    def resource(self, serving: Serving) -> IResource:
        """Serve one repository below ``/{repo}`` and ``/api/docker/{repo}``."""
        return routes.resource_for(serving)

    def mounts(self, find: Find) -> Mapping[bytes, IResource]:
        """Serve ``/v2``."""
        return {b"v2": routes.root_resource(find)}

    def plan(self, want: Want, settings: RepositorySettings) -> Fetch:
        """How a registry is asked."""
        return plan.plan(want, settings)

    def admits(self, patterns: Patterns, path: str) -> bool:
        """By what lies below its image; lists of tags too."""
        return patterns.admits(path)

    def failure(self, answer: Missing | Refused | Unavailable) -> Text:
        """A refusal as the clients of a registry show it."""
        return failures.failure(answer)


FORMAT = Oci()
