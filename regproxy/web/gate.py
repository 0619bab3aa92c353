"""Who sends a request: asked once, before anything of a repository is looked at, and noted on the request.

Most requests show nothing, or something that is known: they are answered at once. A password has to be checked in a thread: its
request waits. Browsers show a password or a certificate for whichever page has them ask: what a page of another site wants
changed is refused (``Origin``).
"""

import re
from collections import OrderedDict
from collections.abc import Sequence
from fnmatch import fnmatchcase

from attrs import define, field
from twisted.internet.defer import Deferred

from regproxy.access.authority import Authority
from regproxy.access.credentials import Basic, Credential, parse
from regproxy.access.principal import Principal
from regproxy.access.quotas import Quotas
from regproxy.access.scopes import LETTERS
from regproxy.access.tokens import REFERENCE, REFRESH
from regproxy.errors import Kind, RegproxyError
from regproxy.model.access import Action
from regproxy.model.principals import User, is_good_name
from regproxy.model.settings import CertificateUser
from regproxy.telemetry.events import Events, What
from regproxy.web.addresses import BaseUrl
from regproxy.web.certificates import names_of
from regproxy.web.request import ProxyRequest

TOLD, TOLD_SECONDS = 10_000, 3600.0
"""That somebody has logged in is told once an hour, of each token and address."""
REALM = "regproxy"
TOKEN_SERVER = ("v2", "token")
SIGNATURE = b"regproxy-signature"
SIGNED_SECONDS = 86_400
"""Of the uploads that are signed together, the last one may begin much later."""
_READ = frozenset({b"GET", b"HEAD"})
_TOKENS = (REFERENCE, REFRESH, "eyj")
"""How tokens begin, in small letters as names are compared."""
_SEPARATING = re.compile(r"[\s,]")
"""What ends a pattern in a scope."""


@define(eq=False)
class Gate:
    """Knows the authority, and where clients are sent for tokens."""

    authority: Authority
    base_url: BaseUrl
    events: Events = field(factory=Events)
    _certificates: Sequence[CertificateUser] = ()
    quotas: Quotas | None = None
    _seen: OrderedDict[tuple[str, str, str], float] = field(factory=OrderedDict, init=False)

    def identify(self, request: ProxyRequest) -> "Deferred[None] | None":
        """Note who it is, at once or later; ``RegproxyError`` for credentials that are no good, with a challenge."""
        headers = request.requestHeaders
        if request.method not in _READ:
            self._check_origin(request)
        authorization, api_key = headers.getRawHeaders(b"authorization"), headers.getRawHeaders(b"x-jfrog-art-api")
        signed = request.args.get(SIGNATURE) if request.args else None
        if signed is None and authorization is None and api_key is None:
            self._unspoken(request)
            return None
        credential: Credential | None = None
        try:
            shown = authorization[0] if authorization else None, api_key[0] if api_key else None
            found: Principal | Deferred[Principal]
            if signed is not None:
                found = self.authority.by_signature(signed[0].decode("latin-1"), request.accountable)
            else:
                credential = parse(*shown)
                assert credential is not None
                found = self.authority.identify(credential, request.accountable)
        except RegproxyError as error:
            self._refused(request, credential, error)
            raise
        if isinstance(found, Principal):
            self._admitted(request, found)
            return None
        return Deferred.fromCoroutine(self._later(request, found, credential))

    def _check_origin(self, request: ProxyRequest) -> None:
        origin = request.getHeader("origin")
        if origin is None:
            return
        ours = {request.getHeader("host") or "", self.base_url(request).partition("://")[2].partition("/")[0]}
        if origin.partition("://")[2].lower() not in {each.lower() for each in ours if each}:
            text = "a page of another site may not have anything changed here"
            self.events.tell(What.DENIED, path="/".join(request.segments), action=Action.WRITE.value, detail=text)
            raise RegproxyError(Kind.DENIED, text)

    def sign(self, principal: Principal, repository: str, path: str, actions: Sequence[Action], shown: str = "") -> str:
        """What to add to the query of an address, so that whoever has it may do that, there, as he who asks.

        He may read what repository ``shown`` shows, too: nothing by itself, if that is a virtual one.
        """
        letters = ",".join(LETTERS[action] for action in actions)
        pattern = _SEPARATING.sub("?", path)
        grant = f"artifact:{repository}/{pattern}:{letters}" + (f" artifact:{shown}:{LETTERS[Action.READ]}" if shown else "")
        token, _ = self.authority.session(principal, grant, SIGNED_SECONDS)
        return f"{SIGNATURE.decode()}={token}"

    def _unspoken(self, request: ProxyRequest) -> None:
        """He says nothing; his connection may have shown a certificate."""
        name = self._certified(request) if self._certificates else ""
        if not name:
            request.principal = self.authority.anonymous()
            return
        try:
            self._admitted(request, self.authority.by_certificate(name))
        except RegproxyError as error:
            self._refused(request, Basic(name, ""), error)
            raise

    def _certified(self, request: ProxyRequest) -> str:
        names = request.channel.certified
        if names is None:
            names = request.channel.certified = names_of(request.channel.transport)
        fitting = (each.username for each in self._certificates if any(fnmatchcase(name, each.name) for name in names))
        return next(fitting, "").lower()

    async def _later(self, request: ProxyRequest, found: "Deferred[Principal]", credential: Credential | None) -> None:
        try:
            self._admitted(request, await found)
        except RegproxyError as error:
            self._refused(request, credential, error)
            raise

    def _admitted(self, request: ProxyRequest, principal: Principal) -> None:
        request.principal = principal
        if not principal.is_user:
            return
        request.cause.user = principal.name
        key = (principal.name, principal.token, request.cause.client)
        now = request.began
        if self._seen.get(key, 0.0) <= now:
            self._seen.pop(key, None)
            self._seen[key] = now + TOLD_SECONDS
            if len(self._seen) > TOLD:
                self._seen.popitem(last=False)
            self.events.tell(What.LOGIN, detail=f"by token {principal.token}" if principal.token else "")

    def _refused(self, request: ProxyRequest, credential: Credential | None, error: RegproxyError) -> None:
        self.challenge(request, error)
        tried = credential.user if isinstance(credential, Basic) and may_be_told(credential.user) else ""
        cause = request.cause
        self.events.tell(What.LOGIN_REFUSED, request_id=cause.request_id, client=cause.client, subject=tried, detail=error.text)

    def challenge(self, request: ProxyRequest, error: RegproxyError) -> None:
        """Say how to log in, if that would help: registries' clients by a token server, all others by a name and a password."""
        if error.kind is not Kind.UNAUTHENTICATED:
            return
        if not is_token_server(request.segments) and speaks_registry(request.segments):
            value = f'Bearer realm="{self.base_url(request)}/{"/".join(TOKEN_SERVER)}",service="{REALM}"'
        else:
            value = f'Basic realm="{REALM}"'
        request.setHeader("www-authenticate", value)


def may_be_told(tried: str) -> bool:
    """Whether it is a name that somebody may have: tokens are put in its place, and passwords."""
    return is_good_name(User(name=tried)) and not tried.startswith(_TOKENS)


def is_token_server(segments: tuple[str, ...]) -> bool:
    """Whether registries' clients come here for a token: below a repository's own address, too."""
    return segments == TOKEN_SERVER or (segments[:2] == ("api", "docker") and segments[3:] == TOKEN_SERVER)


def speaks_registry(segments: tuple[str, ...]) -> bool:
    """Whether an address is one of the registry API, by its words alone: it must not depend on what there is."""
    return segments[0] == "v2" or segments[1:2] == ("v2",) or segments[:2] == ("api", "docker")
