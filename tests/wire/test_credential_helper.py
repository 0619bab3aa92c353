"""Remotes whose credentials come from a program: renewed when upstream refuses them, never shown, and asked anew at a reload."""

import base64
import json
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from attrs import define, field

from tests.fakes.deploying import ask
from tests.fakes.files import remote
from tests.fakes.process import Regproxy
from tests.fakes.registry import Registry
from tests.fakes.registry_image import build_image
from tests.fakes.registry_tokens import PASSWORD, USER
from tests.wire.test_life import wait_until

Start = Callable[..., Regproxy]

OLD, NEW = "old-secret-of-the-robot", "new-secret-of-the-robot"


@define(eq=False)
class Guarded:
    """Files for whoever knows the secret of the moment.

    Attributes:
        refuses: how a wrong secret is answered; some registries say 403.
    """

    secret: str = OLD
    refuses: int = 401
    seen: list[str] = field(factory=list)


@pytest.fixture
def guarded() -> Iterator[tuple[Guarded, str]]:
    """It, and its URL."""
    state = Guarded()

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Quiet."""

        def do_GET(self) -> None:
            """Answer."""
            shown = self.headers.get("Authorization", "")
            state.seen.append(shown)
            good = shown == "Basic " + base64.b64encode(f"robot:{state.secret}".encode()).decode()
            body = b"file" if good else b""
            self.send_response(200 if good else state.refuses)
            if not good and state.refuses == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="files"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield state, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def program(folder: Path, username: str, secret: str) -> Path:
    """A helper that says what lies in a file, and notes each run."""
    folder.mkdir(exist_ok=True)
    (folder / "login").write_text(json.dumps({"Username": username, "Secret": secret}))
    path = folder / "docker-credential-test"
    path.write_text(f"#!/bin/sh\ncat >> {folder}/servers\necho looking up {secret} >&2\ncat {folder}/login\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def runs(folder: Path) -> list[str]:
    """The servers that it was asked for."""
    return (folder / "servers").read_text().splitlines() if (folder / "servers").exists() else []


@pytest.mark.parametrize("refuses", [401, 403])
def test_renewed_when_refused(tmp_path: Path, twist_regproxy: Start, guarded: tuple[Guarded, str], refuses: int) -> None:
    """One run serves many requests; a secret that has changed is asked for, and the client notices nothing."""
    upstream, url = guarded
    upstream.refuses = refuses
    folder = tmp_path / "helper"
    path = program(folder, "robot", OLD)
    regproxy = twist_regproxy(remote(url, f'credentialHelper = ["{path}"]'))
    assert [ask(regproxy, "GET", f"/files/{name}").body for name in "abc"] == [b"file"] * 3
    assert runs(folder) == [url]
    upstream.secret = NEW
    (folder / "login").write_text(json.dumps({"Username": "robot", "Secret": NEW}))
    assert [ask(regproxy, "GET", f"/files/{name}").status for name in "de"] == [200, 200]
    assert runs(folder) == [url] * 2
    upstream.secret = "another"
    assert [ask(regproxy, "GET", f"/files/{name}").status for name in "fg"] == [403] * 2
    assert len(runs(folder)) <= 3
    shown = ask(regproxy, "GET", "/api/repositories/files").body.decode()
    assert not [each for each in (OLD, NEW) if each in regproxy.log + shown]
    assert "looking up ***" in regproxy.log


def test_asked_anew_at_a_reload(tmp_path: Path, twist_regproxy: Start, guarded: tuple[Guarded, str]) -> None:
    """SIGHUP makes what it said before worthless; one that fails is a 502 that says so."""
    folder = tmp_path / "helper"
    path = program(folder, "robot", OLD)
    regproxy = twist_regproxy(remote(guarded[1], f'credentialHelper = ["{path}"]'))
    assert ask(regproxy, "GET", "/files/a").status == 200
    path.write_text("#!/bin/sh\nexit 1\n")
    assert ask(regproxy, "GET", "/files/b").status == 200
    regproxy.signal(signal.SIGHUP)
    wait_until(lambda: ask(regproxy, "GET", f"/files/c{len(guarded[0].seen)}").status == 502)
    refused = ask(regproxy, "GET", "/files/d")
    assert (refused.status, refused.error) == (502, "the credential helper of files gave none")
    assert ask(regproxy, "GET", "/files/a").status == 200


@pytest.mark.client("docker-registry")
def test_a_registry_with_tokens(tmp_path: Path, twist_regproxy: Start) -> None:
    """Its realm is shown what the helper says; the helper is told the host, as docker tells it."""
    folder = tmp_path / "helper"
    with Registry(tmp_path / "registry") as registry:
        image = build_image()
        registry.push("library/app", "1", image)
        path = program(folder, USER, PASSWORD)
        table = registry.remote("hub").replace(f'username = "{USER}"\npassword = "{PASSWORD}"', f'credentialHelper = ["{path}"]')
        regproxy = twist_regproxy(table)
        for digest in image.blobs:
            assert ask(regproxy, "GET", f"/v2/hub/library/app/blobs/{digest}").status == 200
        assert runs(folder) == [f"127.0.0.1:{registry.port}"]


def test_mistakes(tmp_path: Path, twist_regproxy: Start) -> None:
    """A program that is not there, and one beside a password, are lines about the configuration."""
    lines = ('credentialHelper = ["none-such"]', 'username = "u"', 'password = "p"')
    regproxy = twist_regproxy(remote("http://127.0.0.1:9", *lines), ready=False)
    assert regproxy.wait_end() == 3
    assert "credentialHelper (files): expected this, or username, password and token, not both" in regproxy.log
    regproxy = twist_regproxy(remote("http://127.0.0.1:9", lines[0]), ready=False)
    assert regproxy.wait_end() == 3
    assert "credentialHelper (files): expected a program that can be run" in regproxy.log
