"""One blob of the origin as a package of each format, and where it is at each peer."""

import http.client
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from attrs import frozen

from bench.blobs import Blob
from bench.origins import COMMIT
from bench.programs import Program

# Who serves which format. Regproxy serves npm and .deb as plain files until it knows these formats: the same bytes, less work.
FORMATS: Mapping[str, tuple[str, ...]] = {
    "pypi": ("devpi", "proxpi"),
    "npm": ("verdaccio",),
    "hub": ("olah",),
    "deb": ("apt-cacher-ng",),
}
PACKAGE_PEERS = tuple(peer for peers in FORMATS.values() for peer in peers)


class NotServedError(Exception):
    """A peer does not offer the package."""


@frozen
class Package:
    """A package of one file, published in all formats at once."""

    name: str
    blob: Blob


def publish(root: Path, blob: Blob) -> Package:
    """Make a blob a wheel, a tarball, a model and a .deb: further names of the same file, so no copy."""
    package = Package(f"p{blob.sha256[:16]}", blob)
    name = package.name
    for file in (_wheel(name), f"npm/{name}/-/{name}-1.0.0.tgz", f"hub/bench/{name}/{blob.sha256}", _deb(name)):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        os.link(blob.file, root / file)
    page = f'<!DOCTYPE html><html><body><a href="/{_wheel(name)}#sha256={blob.sha256}">{_wheel(name)[6:]}</a></body></html>'
    _write(root / f"simple/{name}/index.html", page)
    return package


def announce(root: Path, package: Package, origin: int) -> None:
    """Write its documents: they name the origin."""
    name, blob = package.name, package.blob
    dist = {"tarball": f"http://127.0.0.1:{origin}/npm/{name}/-/{name}-1.0.0.tgz"}
    document = {
        "name": name,
        "dist-tags": {"latest": "1.0.0"},
        "versions": {"1.0.0": {"name": name, "version": "1.0.0", "dist": dist}},
        "time": {
            "created": "2026-01-01T00:00:00.000Z",
            "modified": "2026-01-01T00:00:00.000Z",
            "1.0.0": "2026-01-01T00:00:00.000Z",
        },
    }
    _write(root / f"npm-documents/{name}.json", json.dumps(document))
    entry = {"type": "file", "oid": "0" * 40, "size": blob.size, "path": _model(package)}
    entry["lfs"] = {"oid": blob.sha256, "size": blob.size, "pointerSize": 134}
    _write(root / f"hub/bench/{name}/tree.json", json.dumps([entry]))
    info = {"id": f"bench/{name}", "modelId": f"bench/{name}", "sha": COMMIT, "private": False, "gated": False, "disabled": False}
    _write(root / f"hub/bench/{name}/model.json", json.dumps({**info, "siblings": [{"rfilename": _model(package)}]}))


def path_at(peer: Program, form: str, package: Package, origin: int) -> str:
    """The address of the file at a peer, found as a client of the format finds it: by way of the page or document."""
    name = package.name
    ours = peer.name.startswith("regproxy")
    if form == "pypi":
        pages = {"devpi": f"/root/origin/+simple/{name}/", "proxpi": f"/index/{name}/"}
        return _linked(peer, pages.get(peer.name, f"/api/pypi/simple/simple/{name}/"))
    if form == "npm":
        if not ours:
            _text(peer, f"/{name}")
        return f"/files/npm/{name}/-/{name}-1.0.0.tgz" if ours else f"/{name}/-/{name}-1.0.0.tgz"
    if form == "hub":
        return f"{'/api/huggingfaceml/hub' if ours else ''}/bench/{name}/resolve/{COMMIT}/{_model(package)}"
    return f"/files/{_deb(name)}" if ours else f"/127.0.0.1:{origin}/{_deb(name)}"


def _wheel(name: str) -> str:
    return f"files/{name}-1.0-py3-none-any.whl"


def _deb(name: str) -> str:
    return f"pool/{name}_1.0_amd64.deb"


def _model(package: Package) -> str:
    return f"model-{package.blob.sha256}.bin"


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _text(peer: Program, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=60)
    connection.request("GET", path, headers={"Accept": "text/html, application/json;q=0.5"})
    answer = connection.getresponse()
    text = answer.read().decode("utf-8", "replace")
    connection.close()
    if answer.status != 200:
        raise NotServedError(f"{peer.name}: {path}: {answer.status} {text[:300]}")
    return text


def _linked(peer: Program, page: str) -> str:
    seen = re.search(r'href="([^"#]+\.whl)', _text(peer, page))
    if seen is None:
        raise NotServedError(f"{peer.name}: {page} names no file")
    there = urlsplit(urljoin(f"http://127.0.0.1:{peer.port}{page}", seen[1]))
    if there.port != peer.port:
        raise NotServedError(f"{peer.name}: {page} leads elsewhere: {seen[1]}")
    return str(there.path)
