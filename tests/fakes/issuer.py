"""An OIDC issuer on loopback, as a CI system has one: it describes itself, publishes its keys, and gives tokens to its jobs."""

import json
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa


class Issuer(ThreadingHTTPServer):
    """Signs with its newest key; ``asked`` counts documents."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.keys: dict[str, Any] = {}
        self.asked: Counter[str] = Counter()
        self.rotate("RS256")

    @property
    def url(self) -> str:
        """Its name."""
        return f"http://127.0.0.1:{self.server_port}"

    def rotate(self, algorithm: str) -> None:
        """Have a new key beside those that there are."""
        key: Any = rsa.generate_private_key(65537, 2048) if algorithm == "RS256" else ec.generate_private_key(ec.SECP256R1())
        self.keys[f"key-{len(self.keys)}"] = (algorithm, key)

    def token(self, **claims: Any) -> str:
        """For a job, for five minutes."""
        name, (algorithm, key) = list(self.keys.items())[-1]
        now = int(time.time())
        said = {"iss": self.url, "aud": "regproxy", "sub": "job:1", "iat": now, "exp": now + 300, **claims}
        return jwt.encode(said, key, algorithm=algorithm, headers={"kid": name})

    def document(self, path: str) -> Any:
        """What is at an address."""
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        if path != "/keys":
            return None
        forms: dict[str, Any] = {"RS256": jwt.algorithms.RSAAlgorithm, "ES256": jwt.algorithms.ECAlgorithm}
        public = {name: forms[algorithm].to_jwk(key.public_key(), as_dict=True) for name, (algorithm, key) in self.keys.items()}
        return {"keys": [{**key, "kid": name, "use": "sig"} for name, key in public.items()]}


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Issuer

    def do_GET(self) -> None:
        self.server.asked[self.path] += 1
        body = json.dumps(self.server.document(self.path)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""
