"""The JSON form (PEP 691 and 700), read and written.

Files are decoded one by one, when they are looked at: a page of 30 MB then fills no memory with objects, and keeps no other
thread waiting for more than a moment. A file that is not described as one is left out; a page that is not one is a
``ValueError``.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

import msgspec
from attrs import frozen

from regproxy.formats.pypi.address import advertise
from regproxy.formats.pypi.names import Part, is_file
from regproxy.formats.pypi.pages.project import NO_HASHES, NOTHING, File, Project

_KNOWN = frozenset(
    {
        "filename",
        "url",
        "hashes",
        "requires-python",
        "core-metadata",
        "dist-info-metadata",
        "data-dist-info-metadata",
        "yanked",
        "size",
        "upload-time",
        "gpg-sig",
        "provenance",
    }
)
_KNOWN_OF_PROJECT = frozenset({"name", "meta", "files", "versions", "project-status"})

_NO_PAGE = "not the JSON of a project's page"
# Characters that JSON has no other spelling for in practice; other names are found by reading every file.
_WRITTEN_AS_IT_IS = re.compile(r"[A-Za-z0-9._-]+")

_files = msgspec.json.Decoder(list[msgspec.Raw])
_page = msgspec.json.Decoder(dict[str, msgspec.Raw])
_any = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()


@frozen
class _Files:
    """The files of a page that came from ``url``."""

    raw: Sequence[msgspec.Raw]
    url: str

    def __iter__(self) -> Iterator[File]:
        for each in self.raw:
            try:
                file = _read_file(_any.decode(each), self.url)
            except msgspec.DecodeError as error:
                raise ValueError(_NO_PAGE) from error
            if file is not None:
                yield file


def read_json(data: bytes, url: str, only: str = "") -> Project:
    """Read a page that came from ``url``; with ``only``, no files but those that may have that name."""
    try:
        page = _page.decode(data)
        raw = _files.decode(page.get("files", b"[]"))
        rest = {key: _any.decode(value) for key, value in page.items() if key != "files"}
    except msgspec.DecodeError as error:
        raise ValueError(_NO_PAGE) from error
    meta, versions = rest.get("meta"), rest.get("versions")
    if not isinstance(meta, dict) or str(meta.get("api-version", "1.0")).partition(".")[0] != "1":
        raise ValueError("a page of an API that is not known")
    if only and _WRITTEN_AS_IT_IS.fullmatch(only):
        raw = [each for each in raw if only.encode() in bytes(each)]
    return Project(
        name=str(rest.get("name", "")),
        files=_Files(raw, url),
        meta=meta,
        versions=tuple(each for each in versions if isinstance(each, str)) if isinstance(versions, list) else None,
        status=_texts(rest.get("project-status")),
        extra={key: value for key, value in rest.items() if key not in _KNOWN_OF_PROJECT} or NOTHING,
    )


def absolute(url: str, target: str) -> str | None:
    """Where a link on a page leads: absolute, without user and fragment; None if it is not HTTP."""
    try:
        parts = urlsplit(urljoin(url, target))
    except ValueError:
        return None
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, parts.query, "")) if parts.scheme in ("http", "https") and host else None


def _texts(value: object) -> Mapping[str, str]:
    found = {key: each for key, each in value.items() if isinstance(each, str)} if isinstance(value, dict) else {}
    return found or NO_HASHES


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _metadata(file: Mapping[str, object]) -> bool | Mapping[str, str] | None:
    for key in ("core-metadata", "dist-info-metadata", "data-dist-info-metadata"):
        value = file.get(key)
        if isinstance(value, bool):
            return value
        if isinstance(value, dict):
            return _texts(value) or True
    return None


def _read_file(file: Any, base: str) -> File | None:
    if not isinstance(file, dict):
        return None
    filename, target = file.get("filename"), file.get("url")
    if not isinstance(filename, str) or not isinstance(target, str) or not is_file(filename):
        return None
    url = absolute(base, target)
    if url is None:
        return None
    yanked, size, signed, provenance = (file.get(key) for key in ("yanked", "size", "gpg-sig", "provenance"))
    return File(
        filename=filename,
        url=url,
        hashes=_texts(file.get("hashes")),
        requires_python=_text(file.get("requires-python")),
        core_metadata=_metadata(file),
        yanked=yanked if yanked and isinstance(yanked, bool | str) else False,
        size=size if isinstance(size, int) and not isinstance(size, bool) else None,
        upload_time=_text(file.get("upload-time")),
        gpg_sig=signed if isinstance(signed, bool) else None,
        provenance=absolute(base, provenance) if isinstance(provenance, str) else None,
        extra={key: value for key, value in file.items() if key not in _KNOWN} or NOTHING,
    )


def write_json(name: str, project: Project) -> bytes:
    """Write the page of a project whose address is ``simple/{name}/``."""
    page: dict[str, object] = dict(project.extra)
    # What later versions promise, sizes and versions, an HTML page does not have.
    page["meta"] = {"api-version": "1.0", **(project.meta if project.from_json else NOTHING)}
    page["name"] = project.name or name
    if project.versions is not None:
        page["versions"] = project.versions
    if project.status:
        page["project-status"] = dict(project.status)
    page["files"] = [msgspec.Raw(_encoder.encode(_write_file(name, file))) for file in project.files]
    return _encoder.encode(page)


def _write_file(name: str, file: File) -> dict[str, object]:
    said = {
        "requires-python": file.requires_python,
        "size": file.size,
        "upload-time": file.upload_time,
        "gpg-sig": file.gpg_sig,
        "core-metadata": _plain(file.core_metadata),
        "dist-info-metadata": _plain(file.core_metadata),
    }
    written: dict[str, object] = {
        "filename": file.filename,
        "url": f"../../{advertise(name, file.filename, file.digest)}",
        "hashes": dict(file.hashes),
        "yanked": file.yanked,
        **{key: value for key, value in said.items() if value is not None},
        **file.extra,
    }
    if file.provenance is not None:
        written["provenance"] = f"../../{advertise(name, file.filename, file.digest, Part.PROVENANCE)}"
    return written


def _plain(value: bool | Mapping[str, str] | None) -> object:  # noqa: FBT001 - what the field of the page is
    return value if value is None or isinstance(value, bool) else dict(value)
