"""``/access/api/v1/tokens``: everybody has tokens made for himself, administrators for everybody."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

import msgspec
from attrs import frozen
from klein import Klein
from twisted.web.resource import IResource

from regproxy.access.issuing import Issuing, Wish, needs_administrator
from regproxy.access.principal import Principal
from regproxy.access.scopes import USER, Scope
from regproxy.admin.forms import read, show_token
from regproxy.admin.people import named
from regproxy.admin.storage import render
from regproxy.errors import Kind, RegproxyError
from regproxy.model.headers import Headers
from regproxy.model.principals import TokenRow
from regproxy.repo.interface import Text
from regproxy.web.body import read_whole
from regproxy.web.errors import envelope, register
from regproxy.web.gate import Gate
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text
from regproxy.web.root import new_app

LIMIT = 64 << 10


class _Form(Wish, frozen=True, kw_only=True):
    """What scripts send; what is not served is refused where it would be missed."""

    grant_type: str = "client_credentials"
    refreshable: bool = False


@frozen(eq=False)
class Tokens:
    """The routes, to be mounted at ``/access``."""

    _gate: Gate
    _issuing: Issuing

    app = new_app()
    register(app, envelope)

    def resource(self) -> IResource:
        """To be mounted."""
        bound: Klein = self.app
        return bound.resource()

    @app.route("/api/v1/tokens", methods=["POST"])
    async def create(self, request: ProxyRequest) -> None:
        """Make one, by JSON or a form."""
        principal = named(request, self._gate)
        form = _read(await read_whole(request.body, LIMIT), request.getHeader("content-type") or "")
        if form.refreshable or form.grant_type != "client_credentials":
            raise RegproxyError(Kind.INVALID, "tokens are not refreshed here: have a new one made")
        wish = msgspec.structs.replace(form, username=form.username.lower() or principal.name, scope=form.scope or USER)
        _permit(principal, wish)
        issued = msgspec.to_builtins(await self._issuing.issue(wish))
        shown = {name: value for name, value in issued.items() if value not in ("", 0)}
        text = render(shown)
        send_text(request, Text(text.body, text.media_type, headers=Headers.of(cache_control="no-store")))

    @app.route("/api/v1/tokens", methods=["GET"])
    async def every(self, request: ProxyRequest) -> None:
        """List one's own, or everybody's."""
        principal = named(request, self._gate)
        shown = [show_token(row) for row in self._issuing.directory.tokens() if _is_his(principal, row)]
        send_text(request, render({"tokens": shown}))

    @app.route("/api/v1/tokens/<identifier>", methods=["GET"])
    async def one(self, request: ProxyRequest, identifier: str) -> None:
        """Show one."""
        send_text(request, render(show_token(self._found(request, identifier))))

    @app.route("/api/v1/tokens/<identifier>", methods=["DELETE"])
    async def revoke(self, request: ProxyRequest, identifier: str) -> None:
        """Take one back: from now on it is worth nothing."""
        await self._issuing.directory.revoke(self._found(request, identifier).id)
        send_text(request, render({"revoked": identifier}))

    def _found(self, request: ProxyRequest, identifier: str) -> TokenRow:
        principal = named(request, self._gate)
        row = self._issuing.directory.token(principal.token if identifier == "me" else identifier)
        if row is None or not _is_his(principal, row):
            raise RegproxyError(Kind.NOT_FOUND, "there is no such token")
        return row


def _is_his(principal: Principal, row: TokenRow) -> bool:
    """A token that was narrowed shows itself and no other."""
    if principal.is_administrator or (principal.token and principal.token == row.id):
        return True
    return principal.name == row.subject and not principal.is_narrowed


def _permit(principal: Principal, wish: Wish) -> None:
    """No token gives more than its maker has."""
    if principal.is_narrowed:
        raise RegproxyError(Kind.DENIED, "a token with a scope of its own makes no others")
    if not principal.is_administrator and (wish.username != principal.name or needs_administrator(Scope.of(wish.scope))):
        raise RegproxyError(Kind.DENIED, "tokens for others, for groups and for administration are made by administrators")


def _read(body: bytes, media_type: str) -> _Form:
    if media_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return read(body, _Form)
    fields: Mapping[str, str] = dict(parse_qsl(body.decode("latin-1")))
    try:
        return msgspec.convert(fields, type=_Form, strict=False)
    except msgspec.ValidationError as error:
        raise RegproxyError(Kind.INVALID, str(error)) from error
