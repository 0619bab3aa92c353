"""Every way to show who one is, at a real server: tokens of another issuer, refreshed tokens, client certificates."""

import http.client
import json
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from attrs import frozen

from tests.fakes.certificates import Authority
from tests.fakes.deploying import ask, local
from tests.fakes.issuer import Issuer, issuing
from tests.fakes.people import PASSWORD, basic
from tests.fakes.process import Regproxy, free_port

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"


@frozen
class Place:
    """A server with a local repository, an issuer that it knows, and a TLS listener that wants certificates."""

    regproxy: Regproxy
    issuer: Issuer
    authority: Authority
    port: int

    @property
    def admin(self) -> str:
        """Who may do everything."""
        return basic("admin", (self.regproxy.data_dir / "admin.password").read_text().strip())

    def post(self, path: str, body: Any, **headers: str) -> Any:
        """As JSON."""
        return ask(self.regproxy, "POST", path, json.dumps(body).encode(), **headers)

    def trade(self, token: str) -> Any:
        """An issuer's token for one of ours."""
        asked = {"grant_type": EXCHANGE, "subject_token_type": ID_TOKEN, "subject_token": token, "provider_name": "ci"}
        return self.post("/access/api/v1/oidc/token", asked)

    def put(self, path: str, authorization: str) -> int:
        """Try to put something."""
        return ask(self.regproxy, "PUT", path, b"data", authorization=authorization).status

    def over_tls(self, method: str, path: str, name: str, **headers: str) -> int:
        """By a client certificate."""
        pair = self.authority.client(name)
        context = ssl.create_default_context(cafile=str(self.authority.path))
        context.load_cert_chain(pair.certificate, pair.key)
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=30, context=context)
        try:
            connection.request(method, path, b"data" if method == "PUT" else None, headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """``deploy`` may write below ``builds/``, ``ann`` everywhere."""
    folder = tmp_path_factory.mktemp("credentials")
    authority, port = Authority.make(folder), free_port()
    pair = authority.server("server", "localhost")
    with issuing() as issuer:
        server = (
            f'[[server.listener]]\naddress = "127.0.0.1:{port}"\ncertificate = "{pair.certificate}"\nkey = "{pair.key}"\n'
            f'clientCa = "{authority.path}"\n'
        )
        access = (
            '[access]\nanonymousWrite = "never"\n[[access.clientCertificate]]\nname = "builder-*"\nusername = "deploy"\n'
            '[[access.clientCertificate]]\nname = "CN=lost"\nusername = "nobody"\n'
            f'[[oidc]]\nname = "ci"\nissuer = "{issuer.url}"\naudience = ["regproxy"]\n'
            '[[oidc.mapping]]\nclaims = { repository = "acme/app", ref = "refs/heads/*" }\nusername = "deploy"\n'
            'scope = "artifact:files/builds/**:r,w"\nexpiresIn = 600\n'
        )
        regproxy = Regproxy(folder, server + access + local())
        regproxy.start()
        made = Place(regproxy, issuer, authority, port)
        for name in ("deploy", "ann"):
            user = json.dumps({"password": PASSWORD}).encode()
            assert ask(regproxy, "PUT", f"/api/security/users/{name}", user, authorization=made.admin).status == 201
        rights = {"repo": {"repositories": ["files"], "actions": {"users": {"deploy": ["write"], "ann": ["write"]}}}}
        path = "/api/v2/security/permissions/writers"
        assert ask(regproxy, "PUT", path, json.dumps(rights).encode(), authorization=made.admin).status == 201
        yield made
        regproxy.close()


def test_a_job_trades_its_token(place: Place) -> None:
    """And may what the mapping says, and no more; keys are fetched once, and a new one is found."""
    answer = place.trade(place.issuer.token(repository="acme/app", ref="refs/heads/main"))
    assert (answer.status, answer.json["username"], answer.json["expires_in"]) == (200, "deploy", 600)
    assert answer.headers["cache-control"] == "no-store"
    bearer = f"Bearer {answer.json['access_token']}"
    assert (201, 403) == (place.put("/files/builds/1", bearer), place.put("/files/other", bearer))
    assert place.trade(place.issuer.token(repository="acme/app", ref="refs/heads/x")).status == 200
    assert place.issuer.asked["/keys"] == 1
    assert place.trade(place.issuer.token(repository="evil/app", ref="refs/heads/main")).status == 403
    stolen = place.trade(place.issuer.token(aud="another", repository="acme/app", ref="refs/heads/main"))
    assert (401, True) == (stolen.status, "Audience" in stolen.error)
    listed = ask(place.regproxy, "GET", "/access/api/v1/tokens", authorization=place.admin).json["tokens"]
    assert {"ci: job:1"} == {each.get("description") for each in listed}


def test_tokens_are_refreshed(place: Place) -> None:
    """By what was given with them, once; the token of before is worth nothing then."""
    first = place.post("/access/api/v1/tokens", {"refreshable": True, "expires_in": 60}, authorization=basic("ann")).json
    again = place.post("/access/api/v1/tokens", {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]})
    assert (again.status, again.json["scope"], again.json["expires_in"]) == (200, first["scope"], 60)
    old, new = (f"Bearer {each['access_token']}" for each in (first, again.json))
    assert (401, 201) == (place.put("/files/old", old), place.put("/files/new", new))
    for used in (first["refresh_token"], again.json["access_token"], again.json["refresh_token"][:-1], ""):
        refused = place.post("/access/api/v1/tokens", {"grant_type": "refresh_token", "refresh_token": used})
        assert refused.status == 401
    plain = place.post("/access/api/v1/tokens", {}, authorization=basic("ann")).json
    assert "refresh_token" not in plain


def test_client_certificates(place: Place) -> None:
    """Their names say who it is; what is shown besides counts more; one that fits nobody is anonymous."""
    assert place.over_tls("PUT", "/files/by-certificate", "builder-7") == 201
    assert place.over_tls("PUT", "/files/by-another", "other") == 401
    assert place.over_tls("GET", "/files/by-certificate", "other") == 200
    assert place.over_tls("PUT", "/files/by-ann", "other", authorization=basic("ann")) == 201
    assert place.over_tls("GET", "/files/by-certificate", "lost") == 401
    shown = ask(place.regproxy, "GET", "/api/storage/files/by-certificate", authorization=place.admin).json
    assert shown["createdBy"] == "deploy"
