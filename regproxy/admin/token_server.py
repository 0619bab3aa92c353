"""``/v2/token``: clients of a registry bring their credentials here once, and a session to everything else.

Whoever the gate has let pass gets one, anonymous too while he is let in: that is how such clients ask for what is open to all.
The scope that they ask for is not looked at: a session may what its owner may, and each request is decided by itself.
"""

from datetime import UTC, datetime

import msgspec
from attrs import frozen
from klein import Klein
from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import IResource

from regproxy.access.authority import Authority
from regproxy.errors import Kind, RegproxyError
from regproxy.model.headers import Headers
from regproxy.repo.interface import Text
from regproxy.web.errors import envelope, register
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text
from regproxy.web.root import new_app


@frozen(eq=False)
class TokenServer:
    """Its one route."""

    _authority: Authority
    _clock: IReactorTime

    app = new_app()
    register(app, envelope)

    def resource(self) -> IResource:
        """To be mounted."""
        bound: Klein = self.app
        return bound.resource()

    @app.route("/", methods=["GET"])
    async def give(self, request: ProxyRequest) -> None:
        """Make a session."""
        principal = request.principal or self._authority.anonymous()
        if principal is self._authority.anonymous() and not self._authority.anonymous_allowed:
            request.setHeader("www-authenticate", 'Basic realm="regproxy"')
            raise RegproxyError(Kind.UNAUTHENTICATED, "authentication is required")
        token, seconds = self._authority.session(principal)
        issued = datetime.fromtimestamp(self._clock.seconds(), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        said = {"token": token, "access_token": token, "expires_in": seconds, "issued_at": issued}
        send_text(request, Text(msgspec.json.encode(said), "application/json", headers=Headers.of(cache_control="no-store")))
