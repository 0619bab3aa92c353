"""Webhooks of a real server: signed, told again until they are heard, over a kill -9; and never sent where they must not go."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.fakes.deploying import ask, local
from tests.fakes.files import remote, serving
from tests.fakes.people import basic
from tests.fakes.process import Regproxy
from tests.fakes.threaded import running
from tests.wire.test_life import wait_until

SECRET = "a secret of the hook"


class Receiver(ThreadingHTTPServer):
    """Takes what it is told; answers ``status``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Take)
        self.status = 204
        self.asked = 0
        self.letters: list[dict[str, Any]] = []
        self.names: list[str] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}/hook?tenant=1"

    def told(self) -> list[tuple[str, str]]:
        """What happened to which path."""
        return [(each["type"], each["data"].get("path", "")) for each in self.letters]


class _Take(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        name, stamp = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        expected = hmac.new(SECRET.encode(), f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()
        assert self.headers["webhook-signature"] == f"v1,{base64.b64encode(expected).decode()}"
        if self.server.status < 300:
            self.server.letters.append(json.loads(body))
            self.server.names.append(name)
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


def hook(receiver: Receiver, *lines: str, allowed: bool = True) -> str:
    """The table of a webhook."""
    hosts = ['allowedHosts = ["127.0.0.1"]'] if allowed else []
    first = f'[[webhook]]\nname = "h"\nurl = "{receiver.url}"\nsecret = "{SECRET}"'
    return "\n".join((first, *hosts, *lines, ""))


def test_everybody_is_told(twist_regproxy: Callable[..., Regproxy]) -> None:
    """Uploads, deletions, first fetches and refusals, in their order, of every worker."""
    with serving({"/a": b"x" * 10}) as upstream, running(Receiver()) as receiver:
        repositories = hook(receiver) + local("mine") + remote(upstream.url)
        regproxy = twist_regproxy(repositories, server="workers = 2")
        admin = basic("admin", (regproxy.data_dir / "admin.password").read_text().strip())
        assert ask(regproxy, "PUT", "/mine/f", b"data", authorization=admin).status == 201
        assert ask(regproxy, "DELETE", "/mine/f", None, authorization=admin).status == 204
        wait_until(lambda: len(receiver.letters) == 2, 30)
        assert [("artifact.deployed", "f"), ("artifact.deleted", "f")] == receiver.told()
        assert {"repo_key": "mine", "user": "admin", "size": 4}.items() <= receiver.letters[0]["data"].items()
        assert ask(regproxy, "GET", "/files/a").status == 200
        made = ask(regproxy, "PUT", "/api/security/users/ann", json.dumps({"password": "long enough"}), authorization=admin)
        assert made.status == 201
        assert ask(regproxy, "PUT", "/mine/g", b"", authorization=basic("ann", "long enough")).status == 403
        wait_until(lambda: len(receiver.letters) == 4, 30)
        assert {("artifact.cached", "a"), ("artifact.denied", "g")} == set(receiver.told()[2:])


def test_told_again_until_heard(twist_regproxy: Callable[..., Regproxy]) -> None:
    """An answer that is no success, a redirect among them, and a kill -9: nothing is lost, and nothing is told twice in vain."""
    with running(Receiver()) as receiver:
        receiver.status = 302
        regproxy = twist_regproxy(hook(receiver) + local("mine"))
        for name in ("f", "g"):
            assert ask(regproxy, "PUT", f"/mine/{name}", b"data").status == 201
        wait_until(lambda: receiver.asked > 1, 30)
        assert receiver.letters == []
        regproxy.restart(kill=True)
        receiver.status = 200
        wait_until(lambda: len(receiver.letters) >= 2, 30)
        assert [("artifact.deployed", "f"), ("artifact.deployed", "g")] == receiver.told()
        assert SECRET not in regproxy.log


def test_private_addresses(twist_regproxy: Callable[..., Regproxy]) -> None:
    """Are not told anything, unless ``allowedHosts`` names them, by whatever name."""
    with running(Receiver()) as receiver:
        names = ("127.0.0.1", "localhost", "2130706433")
        hooks = [
            hook(receiver, allowed=False).replace("127.0.0.1", name).replace('"h"', f'"h{number}"')
            for number, name in enumerate(names)
        ]
        regproxy = twist_regproxy("".join(hooks) + local("mine"))
        assert ask(regproxy, "PUT", "/mine/f", b"data").status == 201
        failed = [f'regproxy_webhook_deliveries_total{{outcome="failed",webhook="h{number}"}}' for number in range(len(names))]
        admin = basic("admin", (regproxy.data_dir / "admin.password").read_text().strip())
        page = lambda **shown: ask(regproxy, "GET", "/metrics", **shown).body.decode()  # noqa: E731 - of two words
        wait_until(lambda: all(each in page(authorization=admin) for each in failed), 30)
        assert "webhook=" not in page()
        assert receiver.asked == 0
