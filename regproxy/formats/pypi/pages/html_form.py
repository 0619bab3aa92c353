"""The HTML form (PEP 503, 592, 658, 714, 740, 792), read and written.

Links count from ``<base>`` or else from the address that the page came from in the end; a file is what its link's last segment
says. A page with a form in it is somebody's login page, not an index.
"""

import re
from collections.abc import Mapping
from html import escape
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

from regproxy.formats.pypi.address import advertise
from regproxy.formats.pypi.names import SUFFIXES, Part, is_file
from regproxy.formats.pypi.pages.json_form import absolute
from regproxy.formats.pypi.pages.project import NO_HASHES, NOTHING, File, Project, best_digest

_HASH = re.compile(r"(?:^|&)(sha256|sha512|sha384|sha1|md5)=([0-9A-Fa-f]+)")
_SAID = re.compile(r"(\w+)=([0-9A-Fa-f]+)")

Attributes = Mapping[str, str | None]


class Anchors(HTMLParser):
    """Collects what a page says: links with their attributes and texts, ``<base>``, ``<meta>``."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[tuple[Attributes, list[str]]] = []
        self.meta: dict[str, str] = {}
        self.base = ""
        self.has_form = False
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One tag."""
        fields = dict(reversed(attrs))  # the first of two attributes counts
        match tag:
            case "a":
                self.links.append((fields, []))
                self._open = True
            case "base" if not self.base:
                self.base = fields.get("href") or ""
            case "meta":
                self.meta[fields.get("name") or ""] = fields.get("content") or ""
            case "form":
                self.has_form = True

    def handle_endtag(self, tag: str) -> None:
        """The end of a link's text."""
        if tag == "a":
            self._open = False

    def handle_data(self, data: str) -> None:
        """A link's text."""
        if self._open:
            self.links[-1][1].append(data)


def read_anchors(data: bytes) -> Anchors:
    """Parse a page; ``ValueError`` if it is none of an index."""
    page = Anchors()
    page.feed(data.decode("utf-8", "replace"))
    page.close()
    if page.has_form:
        raise ValueError("a web page with a form in place of an index")
    if page.meta.get("pypi:repository-version", "1.0").partition(".")[0] != "1":
        raise ValueError("a page of an API that is not known")
    return page


def read_html(data: bytes, url: str) -> Project:
    """Read a page that came from ``url``."""
    page = read_anchors(data)
    base = urljoin(url, page.base)
    status = {"status": page.meta.get("pypi:project-status"), "reason": page.meta.get("pypi:project-status-reason")}
    version = page.meta.get("pypi:repository-version")
    return Project(
        name="",
        files=tuple(file for fields, _ in page.links if (file := _read_file(fields, base)) is not None),
        meta={"api-version": version} if version else NOTHING,
        status={key: value for key, value in status.items() if value} or NO_HASHES,
        from_json=False,
    )


def _read_file(fields: Attributes, base: str) -> File | None:
    href = (fields.get("href") or "").strip()
    url = absolute(base, href)
    if not href or url is None:
        return None
    filename = unquote(urlsplit(url).path.rpartition("/")[2])
    if not is_file(filename) or not filename.endswith(SUFFIXES):
        return None
    yanked, signed = fields.get("data-yanked"), fields.get("data-gpg-sig")
    provenance = fields.get("data-provenance")
    return File(
        filename=filename,
        url=url,
        hashes=dict(_HASH.findall(href.partition("#")[2])) or NO_HASHES,
        requires_python=fields.get("data-requires-python") or None,
        core_metadata=_metadata(fields),
        yanked=(yanked or True) if "data-yanked" in fields else False,
        gpg_sig=signed == "true" if signed in ("true", "false") else None,
        provenance=absolute(base, provenance) if provenance else None,
    )


def _metadata(fields: Attributes) -> bool | Mapping[str, str] | None:
    key = next((each for each in ("data-core-metadata", "data-dist-info-metadata") if each in fields), None)
    if key is None:
        return None
    said = (fields[key] or "").strip()
    return dict(_SAID.findall(said)) or said.lower() != "false"


def write_html(name: str, project: Project) -> bytes:
    """Write the page of a project whose address is ``simple/{name}/``."""
    title = escape(project.name or name)
    meta = {"pypi:repository-version": str(project.meta.get("api-version", "1.0"))}
    meta |= {f"pypi:project-{key}": value for key, value in _status(project.status).items()}
    head = [f'<meta name="{escape(key)}" content="{escape(value)}">' for key, value in meta.items()]
    links = [f"<a{_attributes(_link(name, file))}>{escape(file.filename)}</a><br>" for file in project.files]
    top = ["<!DOCTYPE html>", '<html><head><meta charset="utf-8">', *head, f"<title>Links for {title}</title></head><body>"]
    return "\n".join([*top, f"<h1>Links for {title}</h1>", *links, "</body></html>", ""]).encode()


def _status(status: Mapping[str, str]) -> Mapping[str, str]:
    names = {"status": "status", "reason": "status-reason"}
    return {names[key]: value for key, value in status.items() if key in names}


def _attributes(fields: Mapping[str, str | None]) -> str:
    return "".join(f' {key}="{escape(value)}"' for key, value in fields.items() if value is not None)


def _link(name: str, file: File) -> Mapping[str, str | None]:
    digest = file.digest
    address = f"../../{advertise(name, file.filename, digest)}"
    metadata = _said(file.core_metadata)
    return {
        "href": f"{address}#{digest.algorithm}={digest.hex}" if digest else address,
        "data-requires-python": file.requires_python,
        "data-core-metadata": metadata,
        "data-dist-info-metadata": metadata,
        "data-yanked": (file.yanked if isinstance(file.yanked, str) else "") if file.yanked else None,
        "data-gpg-sig": None if file.gpg_sig is None else str(file.gpg_sig).lower(),
        "data-provenance": f"../../{advertise(name, file.filename, digest, Part.PROVENANCE)}" if file.provenance else None,
    }


def _said(metadata: bool | Mapping[str, str] | None) -> str | None:  # noqa: FBT001 - what the field of the page is
    if metadata is None or isinstance(metadata, bool):
        return "true" if metadata else None
    digest = best_digest(metadata)
    return f"{digest.algorithm}={digest.hex}" if digest else "true"
