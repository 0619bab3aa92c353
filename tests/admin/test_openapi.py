"""The OpenAPI document says what there is: every route and method, and nothing else."""

import json
import re
from typing import Any

from klein import Klein

from regproxy.admin.access_people import AccessPeople
from regproxy.admin.old_tokens import OldTokens
from regproxy.admin.people import People
from regproxy.admin.repository_routes import RepositoryRoutes
from regproxy.admin.routes import Api
from regproxy.admin.token_server import TokenServer
from regproxy.admin.tokens import Tokens
from regproxy.formats.generic.local import LocalRoutes
from regproxy.formats.oci.routes import RepositoryRoutes as ImageRoutes
from tests.sources import CHECKOUT

DOCUMENT: dict[str, Any] = json.loads((CHECKOUT / "docs" / "api" / "openapi.json").read_text())


def routes_of(app: Klein, prefix: str) -> set[tuple[str, str]]:
    """Every path and method of an app, HEAD aside; a slash at the end makes no other path."""
    return {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", f"{prefix}{rule.rule}").rstrip("/"), method.lower())
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS")
    }


def test_every_route_is_described() -> None:
    """And nothing that is none."""
    described = {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods}
    served = routes_of(Api.app, "/api") | routes_of(RepositoryRoutes.app, "/api") | routes_of(LocalRoutes.app, "/{key}")
    served |= routes_of(People.app, "/api") | routes_of(Tokens.app, "/access") | routes_of(TokenServer.app, "/v2/token")
    served |= routes_of(AccessPeople.app, "/access") | routes_of(OldTokens.app, "/api")
    served |= routes_of(TokenServer.app, "/api/docker/{key}/v2/token")
    served |= {call for call in routes_of(ImageRoutes.app, "/api/docker/{key}") if call[0].endswith("/promote")}
    assert served - {("/{key}", "get")} == described


def test_every_reference_leads_somewhere() -> None:
    """Schemas and responses that are named are there, and those that are there are named."""
    text = json.dumps(DOCUMENT)
    named = set(re.findall(r'"#/components/(\w+/\w+)"', text))
    there = {f"{kind}/{name}" for kind, each in DOCUMENT["components"].items() for name in each}
    assert there == named


def test_parameters_of_paths_are_declared() -> None:
    """Each operation declares what stands in its path."""
    wrong = [
        f"{method} {path}"
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
        if set(re.findall(r"{(\w+)}", path)) != {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
    ]
    assert wrong == []
