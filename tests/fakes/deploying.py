"""A local repository of a real process, and a client that speaks to it with whatever headers a test wants."""

import hashlib
import http.client
import json
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from tests.fakes.process import Regproxy


def local(key: str = "files", *further: str) -> str:
    """The table of a local repository."""
    lines = ["[[repository]]", f'key = "{key}"', 'rclass = "local"', 'packageType = "generic"', *further, ""]
    return "\n".join(lines)


@frozen
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """What the envelope says."""
        return str(self.json["errors"][0]["message"])


def ask(regproxy: Regproxy, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    """One request on a connection of its own; underscores in names of headers are dashes."""
    connection = http.client.HTTPConnection("127.0.0.1", regproxy.port, timeout=60)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        found = {name.lower(): ", ".join(answer.headers.get_all(name, [])) for name in answer.headers}
        return Answer(answer.status, found, answer.read())
    finally:
        connection.close()


def sums(data: bytes) -> dict[str, str]:
    """The checksums that the API shows."""
    return {name: hashlib.new(name, data).hexdigest() for name in ("md5", "sha1", "sha256")}
