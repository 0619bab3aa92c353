"""What is said of files and folders in JSON, in the shapes that scripts of this field rely on. Pure.

Sizes are strings in a file's information and numbers in lists; times have milliseconds and a ``Z``.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from regproxy.model.deposit import Child, Depositors, Folder
from regproxy.model.media import UNKNOWN
from regproxy.model.node import Node


def when(seconds: float) -> str:
    """A time."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def storage_uri(base_url: str, key: str, path: str) -> str:
    """Where an item is described."""
    return f"{base_url}/api/storage/{key}/{quote(path)}".rstrip("/")


def download_uri(base_url: str, key: str, path: str) -> str:
    """Where an item is."""
    return f"{base_url}/{key}/{quote(path)}"


def file_info(
    node: Node, key: str, base_url: str, digests: Mapping[str, str], depositors: Depositors | None
) -> dict[str, object]:
    """``GET /api/storage/{repo}/{file}``."""
    shown = {name: digests[name] for name in ("md5", "sha1", "sha256") if name in digests}
    info: dict[str, object] = {
        "repo": key,
        "path": f"/{node.path}",
        "created": when(node.created),
        "lastModified": when(node.modified),
        "lastUpdated": when(node.modified),
        "downloadUri": download_uri(base_url, key, node.path),
        "mimeType": node.head.media_type or UNKNOWN,
        "size": str(node.size),
        "checksums": shown,
        "originalChecksums": {"sha256": node.sha256},
        "uri": storage_uri(base_url, key, node.path),
    }
    if depositors is not None:
        info |= {"createdBy": depositors.created_by, "modifiedBy": depositors.modified_by}
    if node.origin:
        info["remoteUrl"] = node.origin
    return info


def folder_info(folder: Folder, key: str, base_url: str, children: Sequence[Child]) -> dict[str, object]:
    """``GET /api/storage/{repo}/{folder}``."""
    info: dict[str, object] = {
        "repo": key,
        "path": f"/{folder.path.rstrip('/')}",
        "created": when(folder.created),
        "lastModified": when(folder.modified),
        "lastUpdated": when(folder.modified),
        "children": [{"uri": f"/{child.name}", "folder": child.node is None} for child in children],
        "uri": storage_uri(base_url, key, folder.path),
    }
    if folder.created_by:
        info |= {"createdBy": folder.created_by, "modifiedBy": folder.created_by}
    return info


def listed_file(node: Node, top: str) -> dict[str, object]:
    """A file in ``?list``; ``top`` is the folder that is listed."""
    entry: dict[str, object] = {
        "uri": f"/{node.path[len(top) :]}",
        "size": node.size,
        "lastModified": when(node.modified),
        "folder": False,
        "sha2": node.sha256,
    }
    sha1 = node.head.kept.first("x-checksum-sha1")
    return entry if sha1 is None else entry | {"sha1": sha1}


def listed_folder(folder: Folder, top: str) -> dict[str, object]:
    """A folder in ``?list``."""
    uri = f"/{folder.path[len(top) :].rstrip('/')}"
    return {"uri": uri, "size": -1, "lastModified": when(folder.modified), "folder": True}
