"""The metadata inside a wheel or an sdist, as clients want it beside the file (PEP 658). Blocks.

Archives are made by strangers: little of one is in memory at a time, whatever it says of itself, and there is an end to how
much of one is looked at. What cannot be read is a ``ValueError``; ``OSError`` is trouble of the disk.
"""

import errno
import gzip
import io
import os
import re
import struct
import tarfile
import zipfile
import zlib
from typing import IO, Any, cast

from attrs import frozen
from packaging.metadata import parse_email
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from regproxy.formats.pypi.names import normalise

METADATA_LIMIT = 4 << 20
PIECE = 4 << 20
"""What may be read at once: a zip file's directory is."""
LOOKED_AT = 4 << 30
"""Bytes of a tar file, unpacked."""
MEMBERS = 200_000

_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    KeyError,
)
_PACKED = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_WHEEL_METADATA = re.compile(r"([^/]+)\.dist-info/METADATA")
_STATIC_SINCE = Version("2.2")
_RESOLVED_BY = frozenset({"requires-dist", "requires-python", "provides-extra", "version"})


@frozen
class Metadata:
    """What a file says of itself.

    Attributes:
        data: as it stands in the archive.
        is_final: it will be the same when the file is built and installed: clients may resolve by it.
    """

    data: bytes
    name: str
    version: str
    requires_python: str
    is_final: bool


def read_metadata(descriptor: int, size: int, project: str, file: str) -> Metadata:
    """Read it from an archive that is open; ``project`` is the normalised name that the file's name says."""
    reading = _Reading(descriptor, size)
    try:
        is_wheel = file.endswith(".whl")
        data = _from_tar(reading) if file.endswith(".tar.gz") else _from_zip(reading, project, is_wheel=is_wheel)
    except (*_BROKEN, OSError) as error:
        if reading.trouble is not None:
            raise reading.trouble from error
        raise ValueError(f"it cannot be read as what its name says: {type(error).__name__}") from error
    return _parsed(data, is_wheel=is_wheel)


class _Reading(io.RawIOBase):
    """A file that is read at places of its own, and never much of it at once.

    Attributes:
        trouble: of the disk; libraries take it for one of the archive.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        super().__init__()
        self._descriptor, self._size, self._at = descriptor, size, 0
        self.trouble: OSError | None = None

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if at < 0:
            raise OSError(errno.EINVAL, "a place before the beginning of the file")
        self._at = at
        return at

    def tell(self) -> int:
        """The place."""
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Read on; all of what is asked for, but at the end."""
        wanted = min(size if size >= 0 else self._size, max(0, self._size - self._at))
        if wanted > PIECE:
            raise ValueError("too much of it would have to be read at once")
        try:
            data = os.pread(self._descriptor, wanted, self._at)
        except OSError as error:
            self.trouble = error
            raise
        self._at += len(data)
        return data


class _Unpacked(io.RawIOBase):
    """A stream that is unpacked as it is read: the same limit, and one on the whole."""

    def __init__(self, packed: gzip.GzipFile) -> None:
        super().__init__()
        self._packed = packed

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go on to a place."""
        if offset > LOOKED_AT:
            raise ValueError("its metadata lies too far from its beginning")
        return self._packed.seek(offset, whence)

    def tell(self) -> int:
        """The place."""
        return self._packed.tell()

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        if not 0 <= size <= PIECE:
            raise ValueError("too much of it would have to be read at once")
        return self._packed.read(size)


def _from_zip(reading: _Reading, project: str, *, is_wheel: bool) -> bytes:
    with zipfile.ZipFile(cast(IO[bytes], reading)) as archive:
        names = [name for name in archive.namelist() if (_is_of_wheel(name, project) if is_wheel else _is_of_sdist(name))]
        if len(names) != 1:
            raise ValueError("a wheel has one *.dist-info/METADATA" if is_wheel else "an sdist has one PKG-INFO in its folder")
        member = archive.getinfo(names[0])
        if member.compress_type not in _PACKED:
            raise ValueError("its metadata is packed in an unusual way")
        with archive.open(member) as opened:
            return _limited(opened)


def _from_tar(reading: _Reading) -> bytes:
    with (
        gzip.GzipFile(fileobj=cast(Any, reading)) as packed,
        tarfile.open(fileobj=cast(Any, _Unpacked(packed)), mode="r:") as archive,
    ):
        for _ in range(MEMBERS):
            member = archive.next()
            if member is None:
                break
            archive.members = []  # type: ignore[attr-defined]  # it remembers every one it has seen
            opened = archive.extractfile(member) if member.isreg() and _is_of_sdist(member.name.removeprefix("./")) else None
            if opened is not None:
                return _limited(opened)
    raise ValueError("an sdist has one PKG-INFO in its folder")


def _is_of_wheel(path: str, project: str) -> bool:
    found = _WHEEL_METADATA.fullmatch(path)
    return found is not None and normalise(found[1].partition("-")[0]) == project


def _is_of_sdist(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return name == "PKG-INFO" and bool(folder) and "/" not in folder


def _limited(opened: IO[bytes]) -> bytes:
    data = opened.read(METADATA_LIMIT + 1)
    if len(data) > METADATA_LIMIT:
        raise ValueError(f"its metadata has more than {METADATA_LIMIT} bytes")
    return data


def _parsed(data: bytes, *, is_wheel: bool) -> Metadata:
    raw, _ = parse_email(data)
    name, version, requires = raw.get("name", ""), raw.get("version", ""), raw.get("requires_python", "").strip()
    if normalise(name) is None:
        raise ValueError("its metadata has no valid Name")
    try:
        Version(version)
        SpecifierSet(requires)
        is_static = Version(raw.get("metadata_version", "")) >= _STATIC_SINCE
    except InvalidVersion as error:
        raise ValueError("its metadata has no valid Version and Metadata-Version") from error
    except InvalidSpecifier as error:
        raise ValueError("its metadata has no valid Requires-Python") from error
    dynamic = {each.strip().lower() for each in raw.get("dynamic", [])}
    return Metadata(data, name, version, requires, is_wheel or (is_static and dynamic.isdisjoint(_RESOLVED_BY)))
