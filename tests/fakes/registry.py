"""Debian's docker-registry as an upstream, behind token authentication: started, filled, stopped and started again.

Blocks while it starts and while it is filled; answers from processes and threads of its own.
"""

import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

from attrs import define, field, frozen

from tests.fakes.process import free_port
from tests.fakes.registry_image import Image, Stored
from tests.fakes.registry_tokens import ISSUER, PASSWORD, SERVICE, USER, TokenServer

START_SECONDS = 15.0

_CONFIG = """\
version: 0.1
log: {{level: warn, accesslog: {{disabled: false}}}}
storage: {{filesystem: {{rootdirectory: {folder}/storage}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}", relativeurls: true}}
"""
_AUTH = """\
auth:
  token: {{realm: "{realm}", service: {service}, issuer: {issuer}, rootcertbundle: {folder}/bundle.pem}}
"""
_ACCESS = re.compile(r'"([A-Z]+) (\S+) HTTP/1\.[01]" (\d{3})')


@frozen
class Access:
    """One line of the registry's access log."""

    method: str
    path: str
    status: int


@define(eq=False)
class Registry:
    """A docker-registry below ``folder``.

    Attributes:
        port: on 127.0.0.1; the same after a restart.
        protected: it wants tokens.
        tokens: its token server; goes and comes with it.
    """

    folder: Path
    program: Path = Path("/usr/bin/docker-registry")
    port: int = field(factory=free_port)
    protected: bool = True
    tokens: TokenServer = field(factory=TokenServer)
    _process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Its address: no slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers; with its storage, if it ran before."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.tokens.start()
        (self.folder / "bundle.pem").write_bytes(self.tokens.bundle)
        config = self.folder / "config.yml"
        auth = _AUTH.format(folder=self.folder, realm=self.tokens.realm, service=SERVICE, issuer=ISSUER)
        config.write_text(_CONFIG.format(folder=self.folder, port=self.port) + (auth if self.protected else ""))
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([self.program, "serve", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._answers():
                return
            time.sleep(0.05)
        raise AssertionError(f"docker-registry did not start:\n{self._log()[-3000:]}")

    def stop(self) -> None:
        """Stop registry and token server: connections to both are refused."""
        self.tokens.stop()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Accept connections and answer nothing: a black hole."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """End that."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def remote(self, key: str, *further: str) -> str:
        """A ``[[repository]]`` whose upstream this is; ``further`` lines of it."""
        lines = (
            "[[repository]]",
            f'key = "{key}"',
            'rclass = "remote"',
            'packageType = "docker"',
            f'url = "{self.url}"',
            f'username = "{USER}"',
            f'password = "{PASSWORD}"',
            *further,
        )
        return "\n".join(lines) + "\n"

    def push(self, name: str, tag: str, image: Image) -> None:
        """Put an image there, with all its platforms."""
        for digest, data in image.blobs.items():
            self.push_blob(name, digest, data)
        for manifest in image.manifests:
            self.push_manifest(name, manifest.digest, manifest)
        self.push_manifest(name, tag, image.index)

    def push_blob(self, name: str, digest: str, data: bytes) -> None:
        """Put one blob there."""
        place = self._ask("POST", f"{self.url}/v2/{name}/blobs/uploads/", name)
        url = place if place.startswith("http") else self.url + place
        self._ask("PUT", f"{url}{'&' if '?' in url else '?'}digest={digest}", name, data, "application/octet-stream")

    def push_manifest(self, name: str, reference: str, manifest: Stored) -> None:
        """Put one manifest there, by tag or digest."""
        self._ask("PUT", f"{self.url}/v2/{name}/manifests/{reference}", name, manifest.body, manifest.media_type)

    def accesses(self) -> list[Access]:
        """What it was asked since it was first started, pushes included, in order."""
        return [Access(method, path, int(status)) for method, path, status in _ACCESS.findall(self._log())]

    def gets(self, part: str) -> list[Access]:
        """The successful GETs whose path has ``part`` in it."""
        return [each for each in self.accesses() if each.method == "GET" and each.status == 200 and part in each.path]

    def blob_file(self, digest: str) -> Path:
        """Where a blob lies, for those who want to damage it."""
        value = digest.removeprefix("sha256:")
        return self.folder / f"storage/docker/registry/v2/blobs/sha256/{value[:2]}/{value}/data"

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/v2/", timeout=2).close()
        except urllib.error.HTTPError as error:
            error.close()
            return error.code == 401
        except OSError:
            return False
        return True

    def _ask(self, method: str, url: str, name: str, data: bytes | None = None, media_type: str = "") -> str:
        request = urllib.request.Request(url, method=method, data=data)
        request.add_header("Authorization", f"Bearer {self.tokens.mint([f'repository:{name}:pull,push'])}")
        if media_type:
            request.add_header("Content-Type", media_type)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return str(answer.headers.get("Location", ""))

    def _log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")
