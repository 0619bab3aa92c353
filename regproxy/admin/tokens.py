"""``/access/api/v1``: everybody has tokens made for himself, administrators for everybody; and clients ask which API this is."""

from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec
from attrs import frozen
from klein import Klein
from twisted.web.resource import IResource

from regproxy.access.exchange import Exchange
from regproxy.access.issuing import Issuing, needs_administrator
from regproxy.access.making import Issued, Wish
from regproxy.access.principal import Principal
from regproxy.access.scopes import USER, Scope
from regproxy.admin.desk import named
from regproxy.admin.forms import read, show_token
from regproxy.admin.storage import render
from regproxy.errors import Kind, RegproxyError
from regproxy.model.headers import Headers
from regproxy.model.level import LEVEL
from regproxy.model.principals import TokenRow
from regproxy.repo.interface import Text
from regproxy.web.body import read_whole
from regproxy.web.errors import envelope, register
from regproxy.web.gate import Gate
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text
from regproxy.web.root import new_app

F = TypeVar("F")

LIMIT = 64 << 10
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
SUBJECTS = ("urn:ietf:params:oauth:token-type:id_token", "urn:ietf:params:oauth:token-type:jwt")
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a word of the protocol


class TokenForm(Wish, frozen=True, kw_only=True):
    """What scripts send; what is not served is refused where it would be missed."""

    grant_type: str = "client_credentials"
    refresh_token: str = ""
    access_token: str = ""


class _Trade(msgspec.Struct, frozen=True, kw_only=True):
    """What CI systems send."""

    grant_type: str = EXCHANGE
    subject_token_type: str = SUBJECTS[0]
    subject_token: str
    provider_name: str = ""
    identity_mapping_name: str = ""
    project_key: str = ""


@frozen(eq=False)
class Tokens:
    """The routes, to be mounted at ``/access``."""

    _gate: Gate
    _issuing: Issuing
    _exchange: Exchange

    app = new_app()
    register(app, envelope)

    def resource(self) -> IResource:
        """To be mounted."""
        bound: Klein = self.app
        return bound.resource()

    @app.route("/api/v1/system/ping", methods=["GET"])
    async def ping(self, request: ProxyRequest) -> None:
        """Say that the server answers."""
        send_text(request, Text(b"OK", "text/plain"))

    @app.route("/api/v1/system/version", methods=["GET"])
    async def version(self, request: ProxyRequest) -> None:
        """Say which API this is."""
        send_text(request, render({"name": LEVEL, "revision": ""}))

    @app.route("/api/v1/tokens", methods=["POST"])
    async def create(self, request: ProxyRequest) -> None:
        """Make one, by JSON or a form."""
        await self.make(request, await form_of(request, TokenForm))

    async def make(self, request: ProxyRequest, form: TokenForm) -> None:
        """Make what is wished for, or refresh what is shown."""
        if form.grant_type == "refresh_token":
            self._send(request, await self._issuing.refresh(form.refresh_token))
            return
        if form.grant_type not in ("", "client_credentials"):
            raise RegproxyError(Kind.INVALID, "expected the grant_type client_credentials or refresh_token")
        principal = named(request, self._gate)
        wish = msgspec.structs.replace(_plain(form), username=form.username.lower() or principal.name, scope=form.scope or USER)
        _permit(principal, wish)
        self._send(request, await self._issuing.issue(_within(principal, wish, request.began)))

    @app.route("/api/v1/oidc/token", methods=["POST"])
    async def exchange(self, request: ProxyRequest) -> None:
        """Trade another issuer's token for one of ours."""
        form = await form_of(request, _Trade)
        if form.grant_type != EXCHANGE or form.subject_token_type not in SUBJECTS:
            raise RegproxyError(Kind.INVALID, f"expected the grant_type {EXCHANGE} and the token type of an id_token")
        name, issued = await self._exchange.trade(form.subject_token, form.provider_name, request.accountable)
        self._send(request, issued, username=name, issued_token_type=ACCESS_TOKEN)

    def _send(self, request: ProxyRequest, issued: Issued, **more: str) -> None:
        every = {**msgspec.to_builtins(issued), **more}
        text = render({name: value for name, value in every.items() if value not in ("", 0)})
        send_text(request, Text(text.body, text.media_type, headers=Headers.of(cache_control="no-store")))

    @app.route("/api/v1/tokens", methods=["GET"])
    async def every(self, request: ProxyRequest) -> None:
        """List one's own, or everybody's."""
        self.show_all(request)

    def show_all(self, request: ProxyRequest) -> None:
        """Show one's own, or everybody's."""
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
        await self._issuing.revoke(self._found(request, identifier).id)
        send_text(request, render({"revoked": identifier}))

    async def revoke_shown(self, request: ProxyRequest, token: str, identifier: str) -> None:
        """Take back one that is shown, or named."""
        named(request, self._gate)
        shown = self._issuing.shown(token)
        await self._issuing.revoke(self._found(request, shown.id if shown is not None else identifier).id)

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


def _within(principal: Principal, wish: Wish, now: float) -> Wish:
    """One that ends as what was shown for it does, at the latest: who is in for an hour does not let himself in for a year."""
    if principal.expires is None or principal.is_administrator:
        return wish
    if wish.refreshable:
        raise RegproxyError(Kind.DENIED, "a token that ends makes none that can be refreshed")
    left = max(1, int(principal.expires - now))
    return msgspec.structs.replace(wish, expires_in=min(wish.expires_in or left, left))


def _plain(form: TokenForm) -> Wish:
    """The wish alone."""
    return Wish(**{name: getattr(form, name) for name in Wish.__struct_fields__})


async def form_of(request: ProxyRequest, form: type[F]) -> F:
    """What is sent, as JSON or as a form."""
    body = await read_whole(request.body, LIMIT)
    if (request.getHeader("content-type") or "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return read(body, form)
    fields: Mapping[str, str] = dict(parse_qsl(body.decode("latin-1")))
    try:
        return msgspec.convert(fields, type=form, strict=False)
    except msgspec.ValidationError as error:
        raise RegproxyError(Kind.INVALID, str(error)) from error
