"""A client that pushes into a local repository of images, in whatever steps a test wants."""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen

from tests.fakes.deploying import Answer, ask
from tests.fakes.process import Regproxy
from tests.fakes.registry_image import Image, Stored, digest_of

Start = Callable[..., Regproxy]
OCTETS = "application/octet-stream"


def images(key: str = "images", *further: str, package_type: str = "docker") -> str:
    """The table of a local repository."""
    return "\n".join(["[[repository]]", f'key = "{key}"', 'rclass = "local"', f'packageType = "{package_type}"', *further, ""])


@frozen
class Client:
    """Speaks to one image.

    Attributes:
        root: the address of the API with the repository, no slash at the end.
    """

    regproxy: Regproxy
    name: str = "team/app"
    root: str = "/v2/images"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Ask below the image."""
        return ask(self.regproxy, method, f"{self.root}/{self.name}/{path}", body, **headers)

    def follow(self, method: str, answer: Answer, query: str = "", body: Any = None, **headers: str) -> Answer:
        """Ask at the Location of an answer."""
        return ask(self.regproxy, method, located(answer) + query, body, **headers)

    def begin(self, query: str = "") -> Answer:
        """Begin an upload."""
        return self.ask("POST", f"blobs/uploads/{query}")

    def push_blob(self, data: bytes) -> str:
        """Push in one request; its digest."""
        digest = digest_of(data)
        answer = self.ask("POST", f"blobs/uploads/?digest={digest}", data, content_type=OCTETS)
        assert answer.status == 201, answer.body
        return digest

    def push(self, reference: str, manifest: Stored) -> Answer:
        """Push a manifest."""
        return self.ask("PUT", f"manifests/{reference}", manifest.body, content_type=manifest.media_type)

    def push_image(self, tag: str, image: Image) -> None:
        """Push all of an image."""
        for data in image.blobs.values():
            self.push_blob(data)
        for manifest in image.manifests:
            assert self.push(manifest.digest, manifest).status == 201
        assert self.push(tag, image.index).status == 201

    def tags(self, query: str = "") -> Answer:
        """The list."""
        return self.ask("GET", f"tags/list{query}")


def located(answer: Answer) -> str:
    """The path that an answer leads to."""
    target = urlsplit(answer.headers["location"])
    return f"{target.path}?{target.query}" if target.query else target.path


def code_of(answer: Answer) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status, str(answer.json["errors"][0]["code"])


def pieces(data: bytes, size: int) -> Iterable[tuple[int, bytes]]:
    """Data in pieces, each with its offset."""
    return ((at, data[at : at + size]) for at in range(0, len(data), size))
