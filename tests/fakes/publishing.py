"""What publishes packages: the form that clients send, written by hand, and twine and ``uv publish`` as programs."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from tests.fakes import clients
from tests.fakes.deploying import Answer, ask
from tests.fakes.index_clients import Installer, Ran
from tests.fakes.index_files import Built
from tests.fakes.process import Regproxy

BOUNDARY = "a boundary"
JSON_TYPE = "application/vnd.pypi.simple.v1+json"


def pypi(key: str = "own", *further: str) -> str:
    """The table of a local repository."""
    return "\n".join(["[[repository]]", f'key = "{key}"', 'rclass = "local"', 'packageType = "pypi"', *further, ""])


def fields_of(built: Built, more: Mapping[str, str | None]) -> dict[str, str]:
    """Those that clients send; None leaves one out."""
    version = built.filename.removesuffix(".tar.gz").split("-")[1]
    fields: dict[str, str | None] = {
        "metadata_version": "2.1",
        "name": built.project,
        "version": version,
        "description": "long " * 20_000,
        ":action": "file_upload",
        "protocol_version": "1",
        "filetype": "bdist_wheel" if built.filename.endswith(".whl") else "sdist",
        "sha256_digest": built.sha256,
        "blake2_256_digest": hashlib.blake2b(built.data, digest_size=32).hexdigest(),
        "md5_digest": hashlib.md5(built.data).hexdigest(),
        "attestations": "[]",
        **more,
    }
    return {name: value for name, value in fields.items() if value is not None}


def form(fields: Mapping[str, str], *files: tuple[str, str, bytes]) -> bytes:
    """Write it: fields, then files as (name of the part, file name, bytes)."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    for part, name, data in files:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{part}"; filename="{name}"\r\n'
        parts.append(f"{head}Content-Type: application/octet-stream\r\n\r\n".encode() + data + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def upload(
    proxy: Regproxy,
    built: Built,
    fields: Mapping[str, str | None] | None = None,
    *,
    key: str = "own",
    file: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send one."""
    body = form(fields_of(built, fields or {}), ("content", file or built.filename, built.data))
    sent = {"Content-Type": f'multipart/form-data; boundary="{BOUNDARY}"', **(headers or {})}
    return ask(proxy, "POST", f"/api/pypi/{key}/", body, **sent)


def page(proxy: Regproxy, name: str, key: str = "own", *, headers: Mapping[str, str] | None = None) -> Any:
    """A project's page in JSON; None if there is none."""
    answer = ask(proxy, "GET", f"/api/pypi/{key}/simple/{name}/", accept=JSON_TYPE, **(headers or {}))
    return json.loads(answer.body) if answer.status == 200 else None


@frozen
class Publisher:
    """twine or ``uv publish``."""

    client: Installer
    url: str

    def publish(
        self,
        proxy: Regproxy,
        *files: Path,
        user: str,
        password: str,
        words: tuple[str, ...] = (),
        base_url: str | None = None,
        key: str = "own",
    ) -> Ran:
        """Upload files."""
        own = {"HOME": str(files[0].parent), "COLUMNS": "400", "TWINE_NON_INTERACTIVE": "1", "UV_HTTP_RETRIES": "0"}
        url = f"{base_url or proxy.base_url}/api/pypi/{key}/"
        return self.client.run(self.url, url, "--username", user, "--password", password, *words, *map(str, files), env=own)


def twine() -> Publisher:
    """The installed one."""
    python = clients.find_python("twine")
    assert python is not None, "mark the test with client('twine')"
    command = [str(python), "-m", "twine", "upload", "--disable-progress-bar"]
    return Publisher(Installer(command, "", ""), "--repository-url")


def uv_publish() -> Publisher:
    """The installed one."""
    program = clients.find_program("uv")
    assert program is not None, "mark the test with client('uv')"
    return Publisher(Installer([str(program), "publish", "--trusted-publishing", "never", "--no-cache"], "", ""), "--publish-url")


def written(folder: Path, *built: Built) -> list[Path]:
    """Files of a folder."""
    paths = [folder / each.filename for each in built]
    for path, each in zip(paths, built, strict=True):
        path.write_bytes(each.data)
    return paths
