"""May this client do that? Every route that reads or changes a repository says here which action it needs, and asks before it
looks at a body.

This version knows no users: everybody is ``anonymous``, reads everything, and changes what ``[access] anonymousWrite`` lets
him change. With ``loopback``, the default, that is nothing unless he is on this machine and connects to a loopback address of it
himself: what a proxy in front has forwarded is from elsewhere. Whoever replaces this keeps ``Guard`` and the decorator.
"""

from collections.abc import Callable, Coroutine
from functools import wraps
from ipaddress import ip_address
from typing import Any, Protocol, TypeVar, cast

from attrs import frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.model.access import Action
from regproxy.model.settings import Access
from regproxy.repo.interface import Serving
from regproxy.web.request import ProxyRequest

ANONYMOUS = "anonymous"
_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")

Route = TypeVar("Route", bound=Callable[..., Coroutine[Any, Any, None]])


class Routed(Protocol):
    """Routes of one repository."""

    @property
    def serving(self) -> Serving:
        """It."""


def plain_path(request: ProxyRequest) -> str:
    """The path as it stands in the address."""
    return "/".join(request.rest)


def guarded(action: Action, at: Callable[[ProxyRequest], str] = plain_path) -> Callable[[Route], Route]:
    """Make a route that needs an action on its repository; ``at`` reads the node's path from the address."""

    def guard(route: Route) -> Route:
        @wraps(route)
        async def asked(routes: Routed, request: ProxyRequest, *args: Any, **kwargs: Any) -> None:
            routes.serving.permit(request, action, at(request))
            await route(routes, request, *args, **kwargs)

        return cast(Route, asked)

    return guard


@frozen
class Guard:
    """Decides by the configuration."""

    _access: Access

    def permit(self, request: ProxyRequest, repository: str, action: Action, path: str) -> str:
        """Who asks; ``RegproxyError`` (DENIED) says which key forbids it."""
        if not self.permits(request, repository, action, path):
            raise RegproxyError(
                Kind.DENIED,
                f"{action.value} in {repository} is not allowed to {ANONYMOUS} from there"
                f' ([access] anonymousWrite = "{self._access.anonymous_write}")',
            )
        return ANONYMOUS

    def permits(self, request: ProxyRequest, repository: str, action: Action, path: str) -> bool:  # noqa: ARG002 - for those that know rights
        """Whether he may."""
        if not self._access.anonymous:
            return False
        match self._access.anonymous_write:
            case "anywhere":
                return True
            case "never":
                return action is Action.READ
        return action is Action.READ or _is_local(request)


def _is_local(request: ProxyRequest) -> bool:
    if any(request.requestHeaders.hasHeader(name) for name in _FORWARDED):
        return False
    return all(_is_loopback(address) for address in (request.getHost(), request.getClientAddress()))


def _is_loopback(address: object) -> bool:
    try:
        return ip_address(getattr(address, "host", "")).is_loopback
    except ValueError:
        return False
