"""A token server for docker-registry: Basic credentials against a JWT that the registry believes.

Distribution 2.8 wants the signing certificate in the token's ``x5c`` header, and trusts those of its ``rootcertbundle``. Serves
from a thread of its own, so that clients may run while the test's reactor is busy or blocked.
"""

import base64
import binascii
import datetime as dt
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from attrs import define, field
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

ISSUER = "test-issuer"
SERVICE = "test-registry"
USER = "robot"
PASSWORD = "correct horse"
LIFETIME = 300


@define(eq=False)
class TokenServer:
    """Issues tokens to ``USER`` with ``PASSWORD``, and to nobody else.

    Attributes:
        scopes: that were asked for, one entry for each granted request.
        refused: how many requests had no or wrong credentials.
        certificate: that its tokens are signed with.
    """

    scopes: list[str] = field(factory=list)
    refused: int = 0
    _key: ec.EllipticCurvePrivateKey = field(factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    certificate: x509.Certificate = field(init=False)
    _server: ThreadingHTTPServer | None = None

    def __attrs_post_init__(self) -> None:
        self.certificate = _self_signed(self._key)

    @property
    def bundle(self) -> bytes:
        """What the registry has to trust: PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def realm(self) -> str:
        """Its address."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_port}/token"

    def start(self) -> None:
        """Listen on a free port."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _answering(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def mint(self, scopes: list[str]) -> str:
        """Make a token that grants everything that was asked for."""
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        header = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(der).decode()]}
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": USER,
            "aud": SERVICE,
            "exp": now + LIFETIME,
            "nbf": now - 10,
            "iat": now,
            "jti": secrets.token_hex(8),
            "access": [_grant(scope) for scope in scopes],
        }
        signed = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(claims).encode())}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def answer(self, authorization: str, query: dict[str, list[str]]) -> tuple[int, dict[str, object]]:
        """Decide about one request."""
        if authorization != f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}":
            self.refused += 1
            return 401, {"details": "who are you"}
        scopes = query.get("scope", [])
        self.scopes.extend(scopes)
        token = self.mint(scopes)
        return 200, {"token": token, "access_token": token, "expires_in": LIFETIME}


def _answering(server: TokenServer) -> type[BaseHTTPRequestHandler]:
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(*server.answer(self.headers.get("Authorization", ""), parse_qs(urlsplit(self.path).query)))

        def do_POST(self) -> None:
            self._reply(405, {"details": "ask by GET"})

        def _reply(self, status: int, content: dict[str, object]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the signature is the standard library's
            pass

    return Answering


def _grant(scope: str) -> dict[str, object]:
    kind, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    return {"type": kind, "name": name, "actions": actions.split(",")}


def _encoded(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).translate(bytes.maketrans(b"+/", b"-_")).rstrip(b"=").decode()


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ISSUER)])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(hours=1)).not_valid_after(now + dt.timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(key, hashes.SHA256())
