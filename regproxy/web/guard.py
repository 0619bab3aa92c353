"""May this client do that? Every route that reads or changes a repository says here which action it needs, and asks before it
looks at a body, or for a node. This is the one place that decides.

Rights are those of the permission targets (``access/``). What ``[access] anonymousWrite`` adds for those who show no credential
holds where they may read: with ``loopback``, the default, a client on this machine that connects to a loopback address of it
itself may change local repositories; what a proxy in front has forwarded, or one of ``trustedProxies`` sends, and what a page has
a browser send, is from elsewhere. A proxy on this machine that is not named and adds nothing cannot be told from a client.
A repository in which somebody may do nothing is to him one that does not exist; who shows nothing is told the same of both, to
log in.
"""

from collections.abc import Callable, Coroutine, Sequence
from functools import wraps
from ipaddress import ip_address
from typing import Any, Protocol, TypeVar, cast

from attrs import frozen

from regproxy.access.principal import Principal
from regproxy.errors import Kind, RegproxyError
from regproxy.model.access import Action
from regproxy.model.deposit import Child
from regproxy.model.principals import ANONYMOUS
from regproxy.model.settings import Access, RepositorySettings
from regproxy.model.trash import TRASH
from regproxy.repo.interface import Serving
from regproxy.telemetry.events import What
from regproxy.web.gate import Gate
from regproxy.web.request import ProxyRequest

_ELSEWHERE = (
    *("forwarded", "via", "origin", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip", "cf-connecting-ip"),
    *("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-server"),
    "x-jfrog-override-base-url",
)
"""What proxies add, and a browser: whoever sends one of these is not known to be on this machine."""

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
    """Decides by the configuration and the rights of who asks."""

    _access: Access
    _gate: Gate

    def permit(self, request: ProxyRequest, settings: RepositorySettings, action: Action, path: str) -> str:
        """Who asks; ``RegproxyError`` says why he may not."""
        principal = self._principal(request)
        if self.permits(request, settings, action, path):
            request.permitted = settings.key
            return principal.name
        refusal = self._refusal(request, principal, settings, action)
        self._tell(settings, action, path, refusal.text)
        raise refusal

    def denied(self, settings: RepositorySettings, action: Action, path: str, text: str) -> RegproxyError:
        """A refusal for a reason of its own."""
        self._tell(settings, action, path, text)
        return RegproxyError(Kind.DENIED, text)

    def _tell(self, settings: RepositorySettings, action: Action, path: str, text: str) -> None:
        self._gate.events.tell(What.DENIED, repository=settings.key, path=path, action=action.value, detail=text)

    def permits(self, request: ProxyRequest, settings: RepositorySettings, action: Action, path: str) -> bool:
        """Whether he may."""
        principal = self._principal(request)
        if settings.key == TRASH:  # whatever was deleted, from wherever
            return principal.is_administrator and action in (Action.READ, Action.DELETE)
        if principal.may(action, settings.key, settings.rclass, path):
            return True
        if _is_free(action, settings) and not principal.is_user:
            return self.lets_change(request) and principal.may(Action.READ, settings.key, settings.rclass, path)
        return False

    def permit_somewhere(self, request: ProxyRequest, settings: RepositorySettings, action: Action) -> str:
        """Who asks, if there may be a path at which he may do that; ``RegproxyError`` otherwise."""
        principal = self._principal(request)
        key, rclass = settings.key, settings.rclass
        let = _is_free(action, settings) and not principal.is_user and self.lets_change(request)
        if principal.may_somewhere(action, key, rclass) or (let and principal.may_somewhere(Action.READ, key, rclass)):
            request.permitted = settings.key
            return principal.name
        raise self._refusal(request, principal, settings, action)

    def admit(self, request: ProxyRequest, settings: RepositorySettings) -> None:
        """Count a request, once; ``RegproxyError`` (UPSTREAM_BUSY) for one too many."""
        quotas = self._gate.quotas
        if not quotas or request.is_counted:
            return
        request.is_counted = True
        wait = quotas.wait(self._named(request), request.accountable, settings.key)
        if wait:
            raise RegproxyError(Kind.UPSTREAM_BUSY, f"too much at once for a quota: wait {wait} s", retry_after=wait)

    def spent(self, request: ProxyRequest, settings: RepositorySettings, size: int) -> None:
        """Count bytes that were sent."""
        if self._gate.quotas and size:
            self._gate.quotas.spend(self._named(request), request.accountable, settings.key, size)

    def _named(self, request: ProxyRequest) -> str:
        principal = self._principal(request)
        return principal.name if principal.is_user else ""

    def sign(
        self,
        request: ProxyRequest,
        settings: RepositorySettings,
        path: str,
        actions: Sequence[Action],
        through: RepositorySettings | None = None,
    ) -> str:
        """What makes an address good for that without credentials, ``through`` a virtual repository too; who asks may do it."""
        for action in actions:
            self.permit(request, settings, action, path)
        principal, shown = self._principal(request), ""
        if through is not None and principal.may_somewhere(Action.READ, through.key, through.rclass):
            shown = through.key
        return self._gate.sign(principal, settings.key, path, actions, shown)

    def knows(self, request: ProxyRequest, settings: RepositorySettings) -> bool:
        """Whether there is this repository for him."""
        if settings.key == TRASH:
            return self._principal(request).is_administrator
        return self._principal(request).knows(settings.key, settings.rclass)

    def fetches(self, request: ProxyRequest, settings: RepositorySettings) -> bool:
        """Whether a remote may ask upstream for him, at some path at least."""
        return self._principal(request).may_somewhere(Action.WRITE, settings.key, settings.rclass)

    def is_named(self, request: ProxyRequest) -> bool:
        """Whether he has said who he is; a session of nobody does not."""
        return self._principal(request).is_user

    def has_shown(self, request: ProxyRequest) -> bool:
        """Whether he has shown anything that is good, be it a session of nobody."""
        return self._principal(request) is not self._gate.authority.anonymous()

    def lets_change(self, request: ProxyRequest) -> bool:
        """Whether ``anonymousWrite`` lets one without a name change what he may read, from where he is."""
        where = self._access.anonymous_write
        return where == "anywhere" or (where == "loopback" and _is_local(request))

    def knows_people(self) -> bool:
        """Whether anybody has a name to show: there is a second user, or a token."""
        return self._gate.authority.has_people()

    def login(self, request: ProxyRequest) -> RegproxyError:
        """Ask who he is."""
        error = RegproxyError(Kind.UNAUTHENTICATED, "authentication is required")
        self._gate.challenge(request, error)
        return error

    def _refusal(
        self, request: ProxyRequest, principal: Principal, settings: RepositorySettings, action: Action
    ) -> RegproxyError:
        if not self.knows(request, settings):
            return self.login(request) if not self.is_named(request) else no_repository(settings.key)
        if self.is_named(request):
            return RegproxyError(Kind.DENIED, f"{principal.name} may not {action.value} this in {settings.key}")
        text = f"{action.value} in {settings.key} is not allowed to {ANONYMOUS} from there"
        if _is_free(action, settings):
            text += f' ([access] anonymousWrite = "{self._access.anonymous_write}")'
        error = RegproxyError(Kind.UNAUTHENTICATED, text)
        self._gate.challenge(request, error)
        return error

    def _principal(self, request: ProxyRequest) -> Principal:
        return request.principal or self._gate.authority.anonymous()


def readable(serving: Serving, request: ProxyRequest, folder: str, children: Sequence[Child]) -> Sequence[Child]:
    """What who asks may see of a folder."""
    names = ((child, child.name if child.node else f"{child.name}/") for child in children)
    return [child for child, name in names if serving.permits(request, Action.READ, folder + name)]


def no_repository(key: str) -> RegproxyError:
    """What somebody with a name hears of a repository that is not there, or not for him."""
    return RegproxyError(Kind.NOT_FOUND, f"there is no repository {key!a}")


def _is_free(action: Action, settings: RepositorySettings) -> bool:
    """Whether ``anonymousWrite`` says anything about it: to have a remote fetch is no change."""
    return action in (Action.ANNOTATE, Action.DELETE) or (action is Action.WRITE and settings.rclass == "local")


def _is_local(request: ProxyRequest) -> bool:
    if not request.accountable or any(request.requestHeaders.hasHeader(name) for name in _ELSEWHERE):
        return False
    return all(_is_loopback(address) for address in (request.getHost(), request.getClientAddress()))


def _is_loopback(address: object) -> bool:
    try:
        return ip_address(getattr(address, "host", "")).is_loopback
    except ValueError:
        return False
