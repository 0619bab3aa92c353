"""Wheels and sdists for tests, made of nothing but the standard library: no build tool, no network."""

import base64
import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence

from attrs import frozen

_EPOCH = (2020, 1, 1, 0, 0, 0)

_BACKEND = """\
import base64, hashlib, zipfile

NAME, VERSION = {name!r}, {version!r}

def build_wheel(folder, config_settings=None, metadata_directory=None):
    file = f"{{NAME}}-{{VERSION}}-py3-none-any.whl"
    info = f"{{NAME}}-{{VERSION}}.dist-info"
    members = {{
        f"{{NAME}}.py": f"VERSION = {{VERSION!r}}\\nFROM = 'sdist'\\n",
        f"{{info}}/METADATA": f"Metadata-Version: 2.1\\nName: {{NAME}}\\nVersion: {{VERSION}}\\n",
        f"{{info}}/WHEEL": "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }}
    record = "".join(f"{{member}},,\\n" for member in [*members, f"{{info}}/RECORD"])
    with zipfile.ZipFile(f"{{folder}}/{{file}}", "w") as wheel:
        for member, text in members.items():
            wheel.writestr(member, text)
        wheel.writestr(f"{{info}}/RECORD", record)
    return file
"""


@frozen
class Built:
    """One distribution file.

    Attributes:
        metadata: its METADATA, if it is a wheel.
    """

    project: str
    filename: str
    data: bytes
    metadata: bytes = b""

    @property
    def sha256(self) -> str:
        """Of its bytes."""
        return hashlib.sha256(self.data).hexdigest()


def make_wheel(name: str, version: str, *, requires: Sequence[str] = (), requires_python: str = "", padding: int = 0) -> Built:
    """A wheel with one module that says its version; ``padding`` bytes that cannot be compressed make it larger."""
    module = name.replace("-", "_").lower()
    info = f"{module}-{version}.dist-info"
    wanted = "".join(f"Requires-Dist: {each}\n" for each in requires)
    wanted += f"Requires-Python: {requires_python}\n" if requires_python else ""
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{wanted}".encode()
    members: dict[str, bytes] = {f"{module}.py": f"VERSION = {version!r}\nFROM = 'wheel'\n".encode()}
    if padding:
        members[f"{module}_padding.bin"] = hashlib.shake_256(name.encode()).digest(padding)
    members[f"{info}/METADATA"] = metadata
    members[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    members[f"{info}/RECORD"] = _record(members, f"{info}/RECORD")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as wheel:
        for member, data in members.items():
            wheel.writestr(zipfile.ZipInfo(member, _EPOCH), data)
    return Built(name, f"{module}-{version}-py3-none-any.whl", buffer.getvalue(), metadata)


def _record(members: Mapping[str, bytes], own: str) -> bytes:
    rows = [
        f"{member},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}"
        for member, data in members.items()
    ]
    return "\n".join([*rows, f"{own},,", ""]).encode()


def make_sdist(name: str, version: str, *, metadata_version: str = "2.1") -> Built:
    """An sdist that brings its own build backend, so that nothing has to be installed to build it."""
    module = name.replace("-", "_").lower()
    folder = f"{module}-{version}"
    members = {
        "PKG-INFO": f"Metadata-Version: {metadata_version}\nName: {name}\nVersion: {version}\n",
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": _BACKEND.format(name=module, version=version),
    }
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for member, text in members.items():
            entry = tarfile.TarInfo(f"{folder}/{member}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return Built(name, f"{folder}.tar.gz", buffer.getvalue())
