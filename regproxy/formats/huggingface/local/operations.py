"""One line of a commit → what it says. Pure. ``AddressError`` (BadRequest) for a line that says nothing that is known."""

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

import msgspec
from attrs import frozen

from regproxy.errors import Kind
from regproxy.formats.huggingface.address import AddressError
from regproxy.formats.huggingface.local.snapshot import why_no_path

_SHA256 = re.compile(r"[0-9a-f]{64}")


@frozen
class Header:
    """The first line: what the commit says of itself; ``parent`` is what its client has seen last."""

    title: str
    message: str = ""
    parent: str = ""


@frozen
class AddFile:
    """A small file with its bytes."""

    path: str
    content: bytes


@frozen
class AddLfs:
    """A file whose bytes were sent before; ``size`` is None in a copy."""

    path: str
    oid: str
    size: int | None = None


@frozen
class DeleteFile:
    """A file goes."""

    path: str


@frozen
class DeleteFolder:
    """All below a folder goes."""

    path: str


@frozen
class CopyFile:
    """A file of this repository, as it is or was at a revision (empty: now), once more."""

    path: str
    source: str
    revision: str = ""


Operation: TypeAlias = AddFile | AddLfs | DeleteFile | DeleteFolder | CopyFile


class _Line(msgspec.Struct):
    key: str
    value: msgspec.Raw


class _Header(msgspec.Struct, rename="camel"):
    summary: str = ""
    description: str = ""
    parent_commit: str | None = None


class _File(msgspec.Struct):
    path: str
    content: msgspec.Raw
    encoding: str = "utf-8"


class _Lfs(msgspec.Struct):
    path: str
    oid: str
    algo: str = "sha256"
    size: int | None = None


class _Path(msgspec.Struct):
    path: str


class _Copy(msgspec.Struct, rename="camel"):
    path: str
    src_path: str
    src_revision: str | None = None


def parse_header(line: bytes) -> Header:
    """Read the first line."""
    try:
        found = msgspec.json.decode(line, type=_Line)
        value = msgspec.json.decode(found.value, type=_Header)
    except ValueError:
        raise _bad("its first line is no header") from None
    if found.key != "header":
        raise _bad("its first line is no header")
    title = " ".join(value.summary.split())[:1000] or "Change files"
    return Header(title, value.description.strip()[: 64 << 10], (value.parent_commit or "").lower())


def parse_operation(line: bytes) -> Operation:
    """Read one of the others."""
    try:
        found = msgspec.json.decode(line, type=_Line)
        parse = _PARSERS.get(found.key)
        if parse is None:
            raise _bad(f"no line can be a {found.key[:40]!a}")
        operation = parse(found.value)
    except ValueError as error:
        raise _bad(f"a line of it cannot be read ({str(error)[:200]})") from None
    reason = why_no_path(operation.path)
    if reason is not None:
        raise _bad(f"no file can be called {operation.path[:80]!a}: {reason}")
    return operation


def _file(value: msgspec.Raw) -> AddFile:
    found = msgspec.json.decode(value, type=_File)
    if found.encoding == "base64":
        return AddFile(found.path, msgspec.json.decode(found.content, type=bytes))
    if found.encoding in ("utf-8", "utf8"):
        return AddFile(found.path, msgspec.json.decode(found.content, type=str).encode())
    raise ValueError("its encoding is base64 or utf-8")


def _lfs(value: msgspec.Raw) -> AddLfs:
    found = msgspec.json.decode(value, type=_Lfs)
    if found.algo != "sha256" or not _SHA256.fullmatch(found.oid):
        raise ValueError("its oid is no SHA-256")
    return AddLfs(found.path, found.oid, found.size)


def _delete(value: msgspec.Raw) -> DeleteFile:
    return DeleteFile(msgspec.json.decode(value, type=_Path).path)


def _delete_folder(value: msgspec.Raw) -> DeleteFolder:
    return DeleteFolder(msgspec.json.decode(value, type=_Path).path.rstrip("/"))


def _copy(value: msgspec.Raw) -> CopyFile:
    found = msgspec.json.decode(value, type=_Copy)
    return CopyFile(found.path, found.src_path, found.src_revision or "")


_PARSERS: Mapping[str, Callable[[msgspec.Raw], Operation]] = {
    "file": _file,
    "lfsFile": _lfs,
    "deletedFile": _delete,
    "deletedFolder": _delete_folder,
    "copyFile": _copy,
}


def _bad(text: str) -> AddressError:
    return AddressError(Kind.INVALID, "BadRequest", f"the commit cannot be taken: {text}")
