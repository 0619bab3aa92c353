"""A Python package index on loopback: pages on one port, files on another one, as the large ones have it.

It runs in threads of its own. What it was asked is in ``seen``. It can be HTML only, lie about bytes, swallow every request, or
be gone.
"""

import contextlib
import hashlib
import json
import socket
import threading
from collections.abc import Callable, Mapping
from email.message import Message
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from attrs import define, field, frozen

from tests.fakes.index_files import Built

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
FREEZE_SECONDS = 30.0


@frozen
class Seen:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    at_files: bool


@frozen
class Reply:
    """One answer."""

    status: int
    body: bytes = b""
    fields: tuple[tuple[str, str], ...] = ()


@frozen
class Offer:
    """A file as it is offered.

    Attributes:
        fields: what its entry says beside name, URL and hashes, with the keys of the JSON form.
        has_metadata: ``.metadata`` is offered too.
        hashed: the entry says its hash.
    """

    built: Built
    fields: Mapping[str, Any]
    has_metadata: bool
    hashed: bool


class Server(ThreadingHTTPServer):
    """A listener whose connections end with it."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], answering: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, answering)
        self._connections: list[socket.socket] = []

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer on a connection, in a thread."""
        self._connections.append(request)
        super().process_request(request, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that left is no news."""

    def server_close(self) -> None:
        """Close what is open, connections that are kept alive too."""
        super().server_close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@define(eq=False)
class Index:
    """See above; a context manager.

    Attributes:
        html_only: whatever a client accepts.
        relative: links are relative to the page that is read in the end, and files are on the port of the pages.
        flipped: names of files that are sent with one bit wrong.
        moved: pages redirect to this folder first.
        files_name: what pages call the host of the files.
        frozen: swallows every request.
        lists_versions: the page lists versions and sizes (API 1.1).
    """

    html_only: bool = False
    relative: bool = False
    flipped: set[str] = field(factory=set)
    moved: str = ""
    files_name: str = "127.0.0.1"
    frozen: threading.Event = field(factory=threading.Event)
    status: Mapping[str, str] = field(factory=dict)
    seen: list[Seen] = field(factory=list, init=False)
    _offers: dict[str, list[Offer]] = field(factory=dict, init=False)
    _servers: list[ThreadingHTTPServer] = field(factory=list, init=False)
    _ports: tuple[int, int] = field(default=(0, 0), init=False)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Of the simple index."""
        return f"http://127.0.0.1:{self._ports[0]}/simple"

    @property
    def files_host(self) -> str:
        """Host and port of the files."""
        return f"{self.files_name}:{self._ports[1]}"

    def start(self) -> None:
        """Listen, on the ports that it had before if it was stopped."""
        self._servers = [_serve(port, self._answer, at_files) for at_files, port in zip((False, True), self._ports, strict=True)]
        self._ports = (self._servers[0].server_port, self._servers[1].server_port)

    def stop(self) -> None:
        """Be gone."""
        self.frozen.clear()
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self._servers = []

    def add(self, built: Built, *, metadata: bool = False, hashed: bool = True, **fields: Any) -> Built:
        """Offer a file; further keys of its entry with underscores for dashes."""
        entry = {key.replace("_", "-"): value for key, value in fields.items()}
        self._offers.setdefault(_normal(built.project), []).append(Offer(built, entry, metadata, hashed))
        return built

    def remove(self, built: Built) -> None:
        """Offer it no more, in the index; its bytes stay where they are."""
        offers = self._offers[_normal(built.project)]
        self._offers[_normal(built.project)] = [offer for offer in offers if offer.built != built]

    def remote(self, key: str, *further: str, url: str = "") -> str:
        """The table of a remote repository in front of it."""
        lines = [f'key = "{key}"', 'rclass = "remote"', 'packageType = "pypi"', f'url = "{url or self.url}"']
        return "\n".join(["[[repository]]", *lines, f'allowedHosts = ["{self.files_host}"]', *further, ""])

    def asked(self, ending: str, method: str = "GET") -> list[Seen]:
        """Requests whose path ends so."""
        return [each for each in self.seen if each.method == method and each.path.endswith(ending)]

    def page(self, name: str) -> dict[str, Any]:
        """The page of a project, as JSON has it."""
        offers = self._offers[name]
        versions = sorted({offer.built.filename.removesuffix(".tar.gz").split("-")[1] for offer in offers})
        page: dict[str, Any] = {"meta": {"api-version": "1.4", "_last-serial": 7}, "name": offers[0].built.project}
        page |= {"versions": versions, "files": [self._entry(offer) for offer in offers]}
        return page | ({"project-status": dict(self.status)} if self.status else {})

    def _entry(self, offer: Offer) -> dict[str, Any]:
        built = offer.built
        path = f"packages/{built.sha256[:2]}/{built.sha256[2:]}/{built.filename}"
        entry: dict[str, Any] = {
            "filename": built.filename,
            "url": f"../../{path}" if self.relative else f"http://{self.files_host}/{path}",
            "hashes": {"sha256": built.sha256} if offer.hashed else {},
            "size": len(built.data),
            "upload-time": "2020-01-01T00:00:00.000000Z",
            "yanked": False,
            **offer.fields,
        }
        if offer.has_metadata:
            entry["core-metadata"] = {"sha256": hashlib.sha256(built.metadata).hexdigest()}
        return entry

    def _answer(self, method: str, path: str, headers: "Message[str, str]", at_files: bool) -> Reply:  # noqa: FBT001 - which port
        self.seen.append(Seen(method, path, dict(headers), at_files))
        while self.frozen.is_set():
            threading.Event().wait(0.05)
        return self._found(path.strip("/").split("/"), headers, at_files=at_files) or Reply(404, b"no such thing")

    def _found(self, segments: list[str], headers: "Message[str, str]", *, at_files: bool) -> Reply | None:
        found = None
        match segments:
            case [*folder, "packages", _, _, filename] if at_files or (self.relative and "/".join(folder) == self.moved):
                found = self._file(filename, headers)
            case ["simple", name] if self.moved and name in self._offers:
                found = Reply(302, fields=(("location", f"/{self.moved}/simple/{name}/"),))
            case ["simple", name] | [_, "simple", name] if name in self._offers:
                found = self._page(name, headers)
            case ["simple"]:
                found = self._list(headers)
            case ["pypi", name, "json"] if name in self._offers:
                found = self._release(name)
        return found

    def _page(self, name: str, headers: "Message[str, str]") -> Reply:
        page = self.page(name)
        if self.html_only or JSON_TYPE not in headers.get("accept", ""):
            return _tagged(_html(page).encode(), "text/html; charset=utf-8", headers)
        return _tagged(json.dumps(page).encode(), JSON_TYPE, headers)

    def _list(self, headers: "Message[str, str]") -> Reply:
        projects = [{"name": offers[0].built.project} for offers in self._offers.values()]
        if self.html_only:
            links = "".join(f'<a href="/simple/{name}/">{name}</a>\n' for name in self._offers)
            return _tagged(links.encode(), "text/html", headers)
        return _tagged(json.dumps({"meta": {"api-version": "1.0"}, "projects": projects}).encode(), JSON_TYPE, headers)

    def _release(self, name: str) -> Reply:
        files = [{"filename": e["filename"], "url": e["url"], "digests": e["hashes"]} for e in self.page(name)["files"]]
        return Reply(200, json.dumps({"info": {"name": name}, "urls": files}).encode(), (("content-type", "application/json"),))

    def _file(self, filename: str, headers: "Message[str, str]") -> Reply:
        built = next((o.built for each in self._offers.values() for o in each if filename.startswith(o.built.filename)), None)
        if built is None:
            return Reply(404)
        data = built.metadata if filename.endswith(".metadata") else built.data
        if filename in self.flipped:
            data = bytes([data[0] ^ 1]) + data[1:]
        fields = (("content-type", "application/octet-stream"), ("accept-ranges", "bytes"), ("etag", f'"{built.sha256[:16]}"'))
        first, dash, last = headers.get("range", "").removeprefix("bytes=").partition("-")
        if not dash:
            return Reply(200, data, fields)
        start = int(first) if first else len(data) - int(last)
        stop = min(int(last) + 1, len(data)) if first and last else len(data)
        return Reply(206, data[start:stop], (*fields, ("content-range", f"bytes {start}-{stop - 1}/{len(data)}")))


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _tagged(body: bytes, media_type: str, headers: "Message[str, str]") -> Reply:
    etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    if headers.get("if-none-match") == etag:
        return Reply(304, b"", (("etag", etag),))
    return Reply(200, body, (("content-type", media_type), ("etag", etag), ("vary", "Accept")))


def _html(page: Mapping[str, Any]) -> str:
    links = []
    for entry in page["files"]:
        said = {"data-requires-python": entry.get("requires-python")}
        if entry["yanked"]:
            said["data-yanked"] = entry["yanked"] if isinstance(entry["yanked"], str) else ""
        if "core-metadata" in entry:
            said["data-core-metadata"] = f"sha256={entry['core-metadata']['sha256']}"
        attributes = "".join(f' {key}="{escape(value)}"' for key, value in said.items() if value is not None)
        fragment = f"#sha256={entry['hashes']['sha256']}" if entry["hashes"] else ""
        links.append(f'<a href="{entry["url"]}{fragment}"{attributes}>{entry["filename"]}</a><br/>')
    return "<!DOCTYPE html><html><body>\n" + "\n".join(links) + "\n</body></html>"


Answering = Callable[[str, str, "Message[str, str]", bool], Reply]


def _serve(port: int, answer: Answering, at_files: bool) -> ThreadingHTTPServer:  # noqa: FBT001 - which of the two
    class Asked(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            reply = answer(self.command, self.path, self.headers, at_files)
            self.send_response(reply.status)
            for name, value in reply.fields:
                self.send_header(name, value)
            if reply.status != 304:
                self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

        do_HEAD = do_GET  # noqa: N815 - the library's name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    server = Server(("127.0.0.1", port), Asked)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server
