"""Who we are to an upstream: Basic, Bearer."""

from base64 import b64encode
from typing import Any, Self

from attrs import define

from regproxy.model.headers import Headers
from regproxy.model.settings import RepositorySettings
from regproxy.upstream.origin import Origin
from regproxy.upstream.targets import Targets


@define(eq=False)
class Credentials:
    """The credentials of one remote."""

    _fixed: str | None

    @classmethod
    def of(cls, settings: RepositorySettings, origin: Origin, targets: Targets, clock: Any, agent: Any) -> Self:
        """Read them."""
        if settings.token:
            return cls(f"Bearer {settings.token}")
        if settings.username:
            return cls("Basic " + b64encode(f"{settings.username}:{settings.password}".encode()).decode())
        return cls(None)

    def known(self, scope: str) -> str | None:
        """What to send."""
        return self._fixed

    async def challenged(self, headers: Headers, scope: str, rejected: str | None) -> str | None:
        """What else to send."""
        return None
