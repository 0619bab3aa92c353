"""The media type of a file by its name, for files that come without one that may be believed."""

from mimetypes import MimeTypes

UNKNOWN = "application/octet-stream"

# Python's own table, and not the one that happens to be on this machine.
_TYPES = MimeTypes()
_ENCODINGS = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz", "br": UNKNOWN}
_MORE = {
    ".jar": "application/java-archive",
    ".pom": "application/xml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".toml": "application/toml",
    ".md": "text/markdown",
    ".whl": "application/zip",
    ".zst": "application/zstd",
}
for _extension, _type in _MORE.items():
    _TYPES.add_type(_type, _extension)


def media_type_of(name: str) -> str:
    """Look at the extension."""
    kind, encoding = _TYPES.guess_type(f"/{name}", strict=True)
    if encoding is not None:
        return _ENCODINGS.get(encoding, UNKNOWN)
    return kind or UNKNOWN
