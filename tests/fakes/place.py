"""A server at which every credential is good for something: users, tokens, client certificates, and jobs of an issuer."""

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import frozen

from tests.fakes.certificates import Authority
from tests.fakes.deploying import ask, local
from tests.fakes.issuer import Issuer
from tests.fakes.people import PASSWORD, basic
from tests.fakes.process import Regproxy, free_port
from tests.fakes.threaded import running

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


@contextmanager
def placed(folder: Path) -> Iterator[Place]:
    """``deploy`` may write below ``builds/`` by a job's token, ``ann`` and he everywhere by others."""
    authority, port = Authority.make(folder), free_port()
    pair = authority.server("server", "localhost")
    with running(Issuer()) as issuer:
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
        try:
            yield made
        finally:
            regproxy.close()
