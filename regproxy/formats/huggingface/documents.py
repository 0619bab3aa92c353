"""The hub's JSON as we serve it: without Xet, and with links that lead to us. Pure.

Documents are stored as they came. A client that saw ``xetHash`` in a tree would ask for its bytes elsewhere and fail (from 1.22
on without a HEAD before), and one that saw ``xetEnabled`` would upload so. ``ValueError`` for what is no such document.
"""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from regproxy.formats.huggingface.address import is_commit
from regproxy.formats.huggingface.names import canonical

_LINK = re.compile(r"<([^<>]*)>([^<]*)")
_NEXT = re.compile(r';\s*rel="?next"?', re.IGNORECASE)
_XET = frozenset({"xetHash", "xetEnabled"})
_PATHS_LIMIT = 10_000


class _Revision(msgspec.Struct):
    sha: str


def read_commit(document: bytes) -> str:
    """The commit that a revision's document names."""
    sha = msgspec.json.decode(document, type=_Revision).sha
    if not is_commit(sha):
        raise ValueError("it names no commit")
    return sha


def without_xet(document: bytes) -> bytes:
    """Take everything of Xet away, at any depth."""
    if b"xet" not in document:
        return document
    return msgspec.json.encode(_bare(msgspec.json.decode(document)))


def _bare(value: Any) -> Any:
    match value:
        case dict():
            return {name: _bare(each) for name, each in value.items() if name not in _XET}
        case list():
            return [_bare(each) for each in value]
        case _:
            return value


def entries(document: bytes) -> list[dict[str, Any]]:
    """Read one page of a tree, bare of Xet."""
    found: list[dict[str, Any]] = _bare(msgspec.json.decode(document, type=list[dict[str, Any]]))
    return found


def next_query(link: str | None) -> str | None:
    """The query of the next page, canonical, in upstream's ``Link``; None on the last one."""
    target = next((target for target, parameters in _LINK.findall(link or "") if _NEXT.search(parameters)), None)
    return canonical(urlsplit(target).query) or None if target is not None else None


def asked_paths(content: bytes, media_type: str) -> tuple[Sequence[str], bool]:
    """The paths that the body of a ``paths-info`` names, and whether expanded: a form (Python), or JSON (JavaScript)."""
    if media_type.partition(";")[0].strip().lower() == "application/json":
        asked = msgspec.json.decode(content, type=dict[str, Any])
        found, expand = asked.get("paths", []), asked.get("expand") is True
        paths = [found] if isinstance(found, str) else found
        if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
            raise ValueError("its paths are no list of names")
    else:
        fields = parse_qsl(content.decode("utf-8"), keep_blank_values=True, max_num_fields=_PATHS_LIMIT)
        paths = [value for name, value in fields if name in ("paths", "paths[]")]
        expand = any(name == "expand" and value.lower() == "true" for name, value in fields)
    return [path.strip("/") for path in paths], expand
