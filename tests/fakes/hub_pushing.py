"""A client of a hub that sends what a test tells it to: commits, objects, questions."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from attrs import evolve, frozen

from tests.fakes.deploying import Answer, ask
from tests.fakes.process import Regproxy

Start = Callable[..., Regproxy]
KEY = "hub"


def hub(key: str = KEY, *further: str) -> str:
    """The table of a local repository."""
    return "\n".join(["[[repository]]", f'key = "{key}"', 'rclass = "local"', 'packageType = "huggingfaceml"', *further, ""])


def add(path: str, content: bytes) -> dict[str, Any]:
    """A line that adds a small file."""
    return {"key": "file", "value": {"path": path, "content": b64encode(content).decode(), "encoding": "base64"}}


def add_lfs(path: str, content: bytes, **more: Any) -> dict[str, Any]:
    """A line that adds a file that was sent before."""
    oid = hashlib.sha256(content).hexdigest()
    return {"key": "lfsFile", "value": {"path": path, "algo": "sha256", "oid": oid, "size": len(content), **more}}


def line(key: str, **value: Any) -> dict[str, Any]:
    """Any other line."""
    return {"key": key, "value": value}


@frozen
class HubClient:
    """Speaks of one repository of the hub.

    Attributes:
        authorization: the header's value; none is sent if it is empty.
    """

    regproxy: Regproxy
    repo: str = "acme/tiny"
    kind: str = "models"
    authorization: str = ""
    key: str = KEY

    @property
    def endpoint(self) -> str:
        """Its path."""
        return f"/api/huggingfaceml/{self.key}"

    def at(self, repo: str) -> "HubClient":
        """The same of another repository."""
        return evolve(self, repo=repo)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Ask below the endpoint."""
        shown = {"authorization": self.authorization} if self.authorization else {}
        data = json.dumps(body) if isinstance(body, dict) else body
        return ask(self.regproxy, method, f"{self.endpoint}/{path}", data, **shown, **headers)

    def call(self, method: str, verb: str, body: Any = None) -> Answer:
        """Ask about the repository."""
        return self.ask(method, f"api/{self.kind}/{self.repo}{'/' if verb else ''}{verb}", body)

    def commit(self, *lines: dict[str, Any], branch: str = "main", title: str = "a change", **header: str) -> Answer:
        """Send a commit."""
        body = self.body(*lines, title=title, **header)
        return self.ask("POST", f"api/{self.kind}/{self.repo}/commit/{branch}", body, content_type="application/x-ndjson")

    def body(self, *lines: dict[str, Any], title: str = "a change", **header: str) -> bytes:
        """What it sends."""
        first = line("header", summary=title, description="", **header)
        return b"".join(json.dumps(each).encode() + b"\n" for each in (first, *lines))

    def committed(self, *lines: dict[str, Any], **more: str) -> str:
        """Send a commit that is taken; its id."""
        answer = self.commit(*lines, **more)
        assert answer.status == 200, answer.body
        return str(answer.json["commitOid"])

    @property
    def lfs(self) -> str:
        """The path of the LFS API below the endpoint."""
        return f"{'' if self.kind == 'models' else f'{self.kind}/'}{self.repo}.git/info/lfs/objects"

    def batch(self, *contents: bytes, **more: Any) -> Answer:
        """Ask where objects go."""
        objects = [{"oid": hashlib.sha256(each).hexdigest(), "size": len(each)} for each in contents]
        body = {"operation": "upload", "transfers": ["basic"], "hash_algo": "sha256", "objects": objects, **more}
        return self.ask("POST", f"{self.lfs}/batch", body)

    def upload(self, content: bytes, **more: Any) -> dict[str, Any]:
        """Ask where one object goes; its actions."""
        actions: dict[str, Any] = self.batch(content, **more).json["objects"][0]["actions"]
        return actions

    def put(self, href: str, body: Any, method: str = "PUT", **headers: str) -> Answer:
        """Send to an address as clients do, without credentials."""
        parts = urlsplit(href)
        return ask(self.regproxy, method, f"{parts.path}?{parts.query}", body, **headers)

    def send(self, content: bytes) -> None:
        """Send an object as a whole."""
        assert self.put(self.upload(content)["upload"]["href"], content).status == 200

    def resolve(self, path: str, revision: str = "main", method: str = "GET", **headers: str) -> Answer:
        """Ask for a file."""
        kind = "" if self.kind == "models" else f"{self.kind}/"
        return self.ask(method, f"{kind}{self.repo}/resolve/{revision}/{path}", **headers)

    def head(self, branch: str = "main") -> str | None:
        """The commit of a branch."""
        answer = self.call("GET", f"revision/{branch}")
        return str(answer.json["sha"]) if answer.status == 200 else None

    def paths(self, revision: str = "main") -> list[str]:
        """All files of a revision."""
        return [each["rfilename"] for each in self.call("GET", f"revision/{revision}").json["siblings"]]


def code_of(answer: Answer) -> tuple[int, str]:
    """Status and code of a refusal, which says why in all the places where clients look."""
    assert answer.headers["x-error-message"] == answer.json["error"]
    return answer.status, answer.headers["x-error-code"]
