"""A hub on the loopback interface, with a CDN on another port: as huggingface.co answers, Xet and redirects included.

Answers from threads of its own, so that tests may block. Large files are redirected to the CDN, by a signed URL that refuses a
HEAD and any Authorization; small ones to a host-less ``/api/resolve-cache/…``. Xet is announced everywhere, and who follows it is
noted.
"""

import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit

from attrs import define, field, frozen

from tests.fakes.hub_content import XET_HASH, HubFile, HubRepo
from tests.fakes.process import free_port

PAGE = 3
TYPES = ("models", "datasets", "spaces")
BLACK_HOLE_SECONDS = 60.0
PIECE = 1 << 16


@frozen
class Request:
    """One request: ``server`` is "hub" or "cdn"."""

    server: str
    method: str
    path: str
    status: int
    authorization: str | None


@define(eq=False)
class Hub:
    """The hub.

    Attributes:
        repos: by type and id.
        renamed: ids by which they were called before, each with the id that it has now.
        flipped: paths of files that are sent with one bit flipped.
        log: what it was asked, in order.
        last_piece_seconds: how long the end of a body lets itself be waited for.
        api_status: instead of an answer of the API and of ``resolve``, this status; 0 for none.
    """

    repos: dict[tuple[str, str], HubRepo] = field(factory=dict)
    renamed: dict[str, str] = field(factory=dict)
    flipped: set[str] = field(factory=set)
    log: list[Request] = field(factory=list)
    last_piece_seconds: float = 0.0
    api_status: int = 0
    port: int = field(factory=free_port)
    cdn_port: int = field(factory=free_port)
    _thawed: threading.Event = field(factory=threading.Event)
    _servers: list[ThreadingHTTPServer] = field(factory=list)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Its address: no slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def cdn_url(self) -> str:
        """That of its CDN."""
        return f"http://127.0.0.1:{self.cdn_port}"

    def start(self) -> None:
        """Listen, on the same ports each time."""
        self._thawed.set()
        for name, port in (("hub", self.port), ("cdn", self.cdn_port)):
            answering = type("Answering", (_Answering,), {"hub": self, "server_name": name})
            server = _Server(("127.0.0.1", port), answering)
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            self._servers.append(server)

    def stop(self) -> None:
        """Refuse connections, and end those that are open."""
        self._thawed.set()
        servers, self._servers = self._servers, []
        for server in servers:
            server.shutdown()
            server.server_close()

    def freeze(self) -> None:
        """Accept requests and answer none: a black hole."""
        self._thawed.clear()

    def wait_thawed(self) -> bool:
        """Wait until the black hole is gone; False if it has not gone in time."""
        return self._thawed.wait(BLACK_HOLE_SECONDS)

    def repo(self, kind: str, name: str, *, gated: bool = False) -> HubRepo:
        """The repository with this name, made if it is new."""
        return self.repos.setdefault((kind, name), HubRepo(kind, name, gated=gated))

    def remote(self, key: str, *further: str) -> str:
        """A ``[[repository]]`` whose upstream this is; ``further`` lines of it."""
        lines = (
            "[[repository]]",
            f'key = "{key}"',
            'rclass = "remote"',
            'packageType = "huggingfaceml"',
            f'url = "{self.url}"',
            'allowedHosts = ["127.0.0.1"]',
            *further,
        )
        return "\n".join(lines) + "\n"

    def bodies(self, path: str, *statuses: int) -> int:
        """How often bytes of a file were sent, with one of the statuses: 200 all of them, 206 a part; nothing said: both."""
        part = quote(path)
        served = [each for each in self.log if each.method == "GET" and each.status in (statuses or (200, 206))]
        return sum("/resolve-cache/" in each.path and urlsplit(each.path).path.endswith(f"/{part}") for each in served) + sum(
            each.server == "cdn" and urlsplit(each.path).path.endswith(f"/{part}") for each in served
        )

    def asked(self, part: str) -> list[Request]:
        """The requests whose path has ``part`` in it."""
        return [each for each in self.log if part in each.path]

    @property
    def xet(self) -> list[Request]:
        """The requests of somebody who followed Xet."""
        return self.asked("xet-read-token") + self.asked("/cas/")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no news."""


class _Answering(BaseHTTPRequestHandler):
    hub: Hub
    server_name: str
    protocol_version = "HTTP/1.0"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Keep the terminal quiet."""

    def do_HEAD(self) -> None:
        """Answer a HEAD."""
        self._serve()

    def do_GET(self) -> None:
        """Answer a GET."""
        self._serve()

    def _serve(self) -> None:
        if not self.hub.wait_thawed():
            return
        if self.server_name == "cdn":
            self._cdn()
        elif self.hub.api_status:
            self._refuse(self.hub.api_status, "", "the hub is not well")
        else:
            self._route()

    def _route(self) -> None:
        path = urlsplit(self.path).path
        for old, new in self.hub.renamed.items():
            if f"/{old}/" in f"{path}/":
                self._send(307, b"Temporary Redirect", {"Location": self.path.replace(f"/{old}", f"/{new}", 1)})
                return
        segments = [unquote(segment) for segment in path.strip("/").split("/")]
        match segments:
            case ["api", "resolve-cache", kind, namespace, name, sha, *file]:
                self._small(self.hub.repos[kind, f"{namespace}/{name}"].commits[sha]["/".join(file)], sha)
            case ["api", kind, namespace, name, *call] if kind in TYPES:
                self._api(kind, f"{namespace}/{name}", call)
            case ["api", kind] if kind in TYPES:
                found = [repo for (each, _), repo in self.hub.repos.items() if each == kind]
                self._json([repo.info(repo.refs["main"]) for repo in found])
            case [kind, namespace, name, "resolve", revision, *file] if kind in TYPES:
                self._resolve(kind, f"{namespace}/{name}", revision, "/".join(file))
            case [namespace, name, "resolve", revision, *file]:
                self._resolve("models", f"{namespace}/{name}", revision, "/".join(file))
            case _:
                self._refuse(404, "", "no such page")

    def _found(self, kind: str, name: str, revision: str) -> tuple[HubRepo, str] | None:
        repo = self.hub.repos.get((kind, name))
        if repo is None:
            self._refuse(401, "", "Invalid username or password.")
            return None
        sha = repo.resolve(revision)
        if sha is None:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            return None
        return repo, sha

    def _resolve(self, kind: str, name: str, revision: str, path: str) -> None:
        found = self._found(kind, name, revision)
        if found is None:
            return
        repo, sha = found
        if repo.gated:
            self._refuse(403, "GatedRepo", f"Access to {kind[:-1]} {name} is restricted.")
            return
        file = repo.commits[sha].get(path)
        if file is None:
            self._refuse(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": sha})
            return
        common = {"X-Repo-Commit": sha, "ETag": f'"{file.content_id}"', "Accept-Ranges": "bytes"}
        if file.is_lfs:
            token = f"{self.hub.url}/api/{kind}/{name}/xet-read-token/{sha}"
            xet = {"X-Xet-Hash": XET_HASH, "Link": f'<{token}>; rel="xet-auth"'}
            linked = {"X-Linked-ETag": f'"{file.sha256}"', "X-Linked-Size": str(len(file.data))}
            place = f"{self.hub.cdn_url}/{kind}/{name}/{sha}/{quote(path)}?X-Amz-Signature={time.time_ns()}"
            self._send(302, b"Found", {**common, **linked, **xet, "Location": place})
        else:
            place = f"/api/resolve-cache/{kind}/{name}/{sha}/{quote(path)}?etag=%22{file.oid}%22"
            self._send(307, b"Temporary Redirect", {**common, "Location": place})

    def _small(self, file: HubFile, sha: str) -> None:
        headers = {"X-Repo-Commit": sha, "ETag": f'"{file.oid}"', "Content-Type": "text/plain; charset=utf-8"}
        self._send(200, self._bytes(file), headers)

    def _cdn(self) -> None:
        kind, namespace, name, sha, *path = unquote(urlsplit(self.path).path).strip("/").split("/")
        file = self.hub.repos[kind, f"{namespace}/{name}"].commits[sha]["/".join(path)]
        if self.headers.get("Authorization"):
            self._refuse(400, "", "Only one auth mechanism allowed")
        elif self.command == "HEAD":
            self._refuse(403, "", "SignatureDoesNotMatch")
        else:
            data = self._bytes(file)
            headers = {"ETag": f'"{"0" * 64}"', "Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
            wanted = (self.headers.get("Range") or "").removeprefix("bytes=").partition("-")
            if wanted[0]:
                start, stop = int(wanted[0]), min(int(wanted[2] or len(data)) + 1, len(data))
                headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
                self._send(206, data[start:stop], headers)
            else:
                self._send(200, data, headers)

    def _bytes(self, file: HubFile) -> bytes:
        if file.path not in self.hub.flipped:
            return file.data
        data = bytearray(file.data)
        data[len(data) // 2] ^= 1
        return bytes(data)

    def _api(self, kind: str, name: str, call: list[str]) -> None:
        revision = call[1] if len(call) > 1 else "main"
        found = self._found(kind, name, revision)
        if found is None:
            return
        repo, sha = found
        match call:
            case [] | ["revision", _]:
                self._json(repo.info(sha))
            case ["tree", _, *folder]:
                self._tree(repo, sha, "/".join(folder))
            case ["refs"]:
                self._json(repo.branches())
            case ["auth-check"] if repo.gated:
                self._refuse(403, "GatedRepo", f"Access to {kind[:-1]} {name} is restricted.")
            case ["auth-check"]:
                self._send(200, b"OK", {"Content-Type": "text/plain; charset=utf-8"})
            case ["commits", _]:
                commit = {"id": sha, "title": "one", "message": "", "date": "2026-01-01T00:00:00.000Z", "authors": []}
                self._json([commit], {"X-Total-Count": "1"})
            case ["xet-read-token", _]:
                token = {
                    "X-Xet-Access-Token": "t",
                    "X-Xet-Token-Expiration": "9999999999",
                    "X-Xet-Cas-Url": f"{self.hub.url}/cas",
                }
                self._json({"accessToken": "t", "exp": 9999999999, "casUrl": f"{self.hub.url}/cas"}, token)
            case _:
                self._refuse(404, "", "no such call")

    def _tree(self, repo: HubRepo, sha: str, folder: str) -> None:
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        found = repo.tree(sha, folder, recursive=query.get("recursive") == "true")
        if found is None:
            self._refuse(404, "EntryNotFound", f"{folder} does not exist", {"X-Repo-Commit": sha})
            return
        if query.get("expand") == "true":
            date = "2026-01-01T00:00:00.000Z"
            found = [{**entry, "lastCommit": {"id": sha, "title": "one", "date": date}} for entry in found]
        start = int(query.get("cursor", "0"))
        kept = "".join(f"{name}={value}&" for name, value in query.items() if name != "cursor")
        following = f'<{self.hub.url}{url.path}?{kept}cursor={start + PAGE}>; rel="next"'
        self._json(found[start : start + PAGE], {"Link": following} if start + PAGE < len(found) else {})

    def _json(self, content: object, headers: Mapping[str, str] | None = None) -> None:
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json; charset=utf-8", **(headers or {})})

    def _refuse(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        fields = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {}), **(headers or {})}
        self._send(status, json.dumps({"error": message}).encode(), {"Content-Type": "application/json", **fields})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.hub.log.append(Request(self.server_name, self.command, self.path, status, self.headers.get("Authorization")))
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            for start in range(0, len(body), PIECE):
                if start + PIECE >= len(body) > PIECE:
                    time.sleep(self.hub.last_piece_seconds)
                self.wfile.write(body[start : start + PIECE])
