"""``/api/security/token`` and ``/api/security/apiKey``: tokens as older scripts ask for them; keys are not made any more."""

import msgspec
from attrs import frozen
from klein import Klein
from twisted.web.resource import IResource

from regproxy.access.scopes import ADMIN, USER
from regproxy.admin.desk import named
from regproxy.admin.storage import render
from regproxy.admin.tokens import TokenForm, Tokens, form_of
from regproxy.errors import Kind, RegproxyError
from regproxy.repo.interface import Text
from regproxy.web.errors import envelope, register
from regproxy.web.gate import Gate
from regproxy.web.request import ProxyRequest
from regproxy.web.respond import send_text
from regproxy.web.root import new_app

NO_KEYS = (
    "API keys are not made any more: POST /access/api/v1/tokens with include_reference_token makes what stands in their place"
)
_MEMBER = "member-of-groups:"


class _Form(TokenForm, frozen=True, kw_only=True):
    """These tokens last an hour where nothing is said."""

    expires_in: int = 3600


class _Revoked(msgspec.Struct, frozen=True):
    token: str = ""
    token_id: str = ""


@frozen(eq=False)
class OldTokens:
    """The routes, to be mounted at ``/api``."""

    _gate: Gate
    _tokens: Tokens

    app = new_app()
    register(app, envelope)

    def resource(self) -> IResource:
        """To be mounted."""
        bound: Klein = self.app
        return bound.resource()

    @app.route("/security/token", methods=["POST"])
    async def create(self, request: ProxyRequest) -> None:
        """Make one, or refresh one."""
        form = await form_of(request, _Form)
        await self._tokens.make(request, msgspec.structs.replace(form, scope=scope_of(form.scope)))

    @app.route("/security/token", methods=["GET"])
    async def every(self, request: ProxyRequest) -> None:
        """List one's own, or everybody's."""
        self._tokens.show_all(request)

    @app.route("/security/token/revoke", methods=["POST"])
    async def revoke(self, request: ProxyRequest) -> None:
        """Take one back."""
        form = await form_of(request, _Revoked)
        if bool(form.token) is bool(form.token_id):
            raise RegproxyError(Kind.INVALID, "expected a token or a token_id")
        await self._tokens.revoke_shown(request, form.token, form.token_id)
        send_text(request, Text(b"Token revoked", "text/plain"))

    @app.route("/security/apiKey", methods=["GET"])
    async def key(self, request: ProxyRequest) -> None:
        """Nobody has one."""
        named(request, self._gate)
        send_text(request, render({}))

    @app.route("/security/apiKey", methods=["POST", "PUT"])
    async def make_key(self, request: ProxyRequest) -> None:
        """Nobody gets one."""
        named(request, self._gate)
        raise RegproxyError(Kind.DENIED, NO_KEYS)


def scope_of(text: str) -> str:
    """A scope of older scripts in today's words. Pure."""
    words = (_word(word) for word in text.split() if word != "api:*")
    return " ".join(dict.fromkeys(words))


def _word(word: str) -> str:
    if word.startswith(_MEMBER):
        groups = word.removeprefix(_MEMBER).strip('"')
        return USER if groups == "*" else f"applied-permissions/groups:{groups}"
    return ADMIN if word.endswith(":admin") and word.startswith(("jfrt@", "regproxy@")) else word
