"""The JSON API's documents: kept as they are, but for the addresses of files, which become ours. Pure."""

from typing import Any

import msgspec

from regproxy.formats.pypi.address import advertise
from regproxy.formats.pypi.names import is_file
from regproxy.formats.pypi.pages.project import best_digest


def rewrite_release(name: str, data: bytes, root: str) -> bytes:
    """Let files be fetched below ``root``, an absolute URL; ``ValueError`` for what is no such document."""
    try:
        document = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise ValueError("not the JSON of a release") from error
    if not isinstance(document, dict):
        raise ValueError("not the JSON of a release")  # noqa: TRY004 - what is wrong is what upstream sent
    releases = document.get("releases")
    lists = [document.get("urls"), *(releases.values() if isinstance(releases, dict) else ())]
    for files in lists:
        for file in files if isinstance(files, list) else ():
            _rewrite(name, file, root)
    return msgspec.json.encode(document)


def _rewrite(name: str, file: Any, root: str) -> None:
    if not isinstance(file, dict) or "url" not in file:
        return
    filename, digests = file.get("filename"), file.get("digests")
    if isinstance(filename, str) and is_file(filename):
        hashes = {key: value for key, value in digests.items() if isinstance(value, str)} if isinstance(digests, dict) else {}
        file["url"] = f"{root}/{advertise(name, filename, best_digest(hashes))}"
    else:
        del file["url"]
