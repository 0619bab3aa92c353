"""Python package indexes, remote, local and virtual: ``docs/formats/pypi.md``."""

from collections.abc import Mapping
from typing import cast

from attrs import frozen
from twisted.web.resource import IResource

from regproxy.formats.pypi import auto, failures, names, plan, routes
from regproxy.formats.pypi.hosted.routes import resource_for as hosted_resource
from regproxy.formats.pypi.several.routes import resource_for as several_resource
from regproxy.model.fetch import Fetch
from regproxy.model.patterns import Patterns
from regproxy.model.settings import RepositorySettings
from regproxy.model.want import Want
from regproxy.repo.interface import (
    Find,
    Missing,
    Refused,
    Serving,
    ServingSeveral,
    Text,
    Unavailable,
    is_hosting,
    is_virtual,
)
from regproxy.repo.interface_auto import AutoUrl


@frozen
class PyPi:
    """The format (``repo.interface.Format``)."""

    package_types: frozenset[str] = frozenset({"pypi"})
    rclasses: frozenset[str] = frozenset({"remote", "local", "virtual"})
    api: str | None = "pypi"
    auto: AutoUrl | None = auto.AUTO

    def resource(self, serving: Serving) -> IResource:
        """Serve one repository below ``/{repo}`` and ``/api/pypi/{repo}``."""
        if is_hosting(serving.repository):
            return hosted_resource(serving, serving.repository)
        if is_virtual(serving.repository):
            return several_resource(cast(ServingSeveral, serving))
        return routes.resource_for(serving)

    def mounts(self, find: Find) -> Mapping[bytes, IResource]:  # noqa: ARG002 - nothing lies outside a repository
        """No further addresses."""
        return {}

    def plan(self, want: Want, settings: RepositorySettings) -> Fetch:
        """How an index is asked."""
        return plan.plan(want, settings)

    def admits(self, patterns: Patterns, path: str) -> bool:
        """A document is that of a project."""
        return names.admits(patterns, path)

    def failure(self, answer: Missing | Refused | Unavailable) -> Text:
        """A refusal as pip and uv show it."""
        return failures.failure(answer)


FORMAT = PyPi()
