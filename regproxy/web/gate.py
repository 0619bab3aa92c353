"""Who sends a request: asked once, before anything of a repository is looked at, and noted on the request.

Most requests show nothing, or something that is known: they are answered at once. A password has to be checked in a thread: its
request waits.
"""

from attrs import define
from twisted.internet.defer import Deferred

from regproxy.access.authority import Authority
from regproxy.access.credentials import parse
from regproxy.access.principal import Principal
from regproxy.errors import Kind, RegproxyError
from regproxy.web.addresses import BaseUrl
from regproxy.web.request import ProxyRequest

REALM = "regproxy"
TOKEN_SERVER = ("v2", "token")


@define(eq=False)
class Gate:
    """Knows the authority, and where clients are sent for tokens."""

    authority: Authority
    base_url: BaseUrl

    def identify(self, request: ProxyRequest) -> "Deferred[None] | None":
        """Note who it is, at once or later; ``RegproxyError`` for credentials that are no good, with a challenge."""
        headers = request.requestHeaders
        authorization, api_key = headers.getRawHeaders(b"authorization"), headers.getRawHeaders(b"x-jfrog-art-api")
        if authorization is None and api_key is None:
            request.principal = self.authority.anonymous()
            return None
        try:
            credential = parse(authorization[0] if authorization else None, api_key[0] if api_key else None)
            assert credential is not None
            found = self.authority.identify(credential, request.accountable)
        except RegproxyError as error:
            self.challenge(request, error)
            raise
        if isinstance(found, Principal):
            request.principal = found
            return None
        return Deferred.fromCoroutine(self._later(request, found))

    async def _later(self, request: ProxyRequest, found: "Deferred[Principal]") -> None:
        try:
            request.principal = await found
        except RegproxyError as error:
            self.challenge(request, error)
            raise

    def challenge(self, request: ProxyRequest, error: RegproxyError) -> None:
        """Say how to log in, if that would help: registries' clients by a token server, all others by a name and a password."""
        if error.kind is not Kind.UNAUTHENTICATED:
            return
        if request.segments != TOKEN_SERVER and speaks_registry(request.segments):
            value = f'Bearer realm="{self.base_url(request)}/{"/".join(TOKEN_SERVER)}",service="{REALM}"'
        else:
            value = f'Basic realm="{REALM}"'
        request.setHeader("www-authenticate", value)


def speaks_registry(segments: tuple[str, ...]) -> bool:
    """Whether an address is one of the registry API, by its words alone: it must not depend on what there is."""
    return segments[0] == "v2" or segments[1:2] == ("v2",) or segments[:2] == ("api", "docker")
