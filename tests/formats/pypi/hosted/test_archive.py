"""What stands in archives is found, whoever made them; what they claim to be costs no memory."""

import contextlib
import gzip
import io
import os
import tarfile
import tempfile
import tracemalloc
import zipfile
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regproxy.formats.pypi.hosted import archive
from regproxy.formats.pypi.hosted.archive import Metadata, read_metadata
from tests.fakes.index_files import make_sdist, make_wheel

WHEEL = make_wheel("Demo.Pkg", "1.0", requires_python=">=3.8")
SDIST = make_sdist("demo-pkg", "1.0")
SAID = b"Metadata-Version: 2.2\nName: demo\nVersion: 1.0\n"


def read(data: bytes, file: str, project: str = "demo") -> Metadata:
    """Look into a file with these bytes."""
    with tempfile.TemporaryFile() as opened:
        opened.write(data)
        opened.flush()
        return read_metadata(opened.fileno(), len(data), project, file)


def zipped(members: Mapping[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return buffer.getvalue()


def tarred(members: Mapping[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """A packed tar file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=form) as packed:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            packed.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def test_what_is_found() -> None:
    """In a wheel, in an sdist of either kind, and behind names of any length."""
    wheel = read(WHEEL.data, WHEEL.filename, "demo-pkg")
    assert (WHEEL.metadata, "Demo.Pkg", "1.0", ">=3.8", True) == (
        wheel.data,
        wheel.name,
        wheel.version,
        wheel.requires_python,
        wheel.is_final,
    )
    sdist = read(SDIST.data, SDIST.filename, "demo-pkg")
    assert ("demo-pkg", "1.0", False) == (sdist.name, sdist.version, sdist.is_final)
    assert read(zipped({"demo-1.0/PKG-INFO": SAID, "demo-1.0/x/PKG-INFO": b""}), "demo-1.0.zip").is_final
    members = {f"demo-1.0/{'long/' * 60}x": b"1" * 700, "demo-1.0/x/PKG-INFO": b"", "demo-1.0/PKG-INFO": SAID}
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        assert read(tarred(members, form), "demo-1.0.tar.gz").data == SAID


@pytest.mark.parametrize(
    ("more", "final"),
    [(b"", True), (b"Dynamic: License\n", True), (b"Dynamic: Requires-Dist\n", False), (b"Dynamic: requires-python\n", False)],
)
def test_an_sdist_that_may_change(more: bytes, final: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """What it declares as dynamic is not known before it is built; of a wheel all is."""
    assert read(tarred({"demo-1.0/PKG-INFO": SAID + more}), "demo-1.0.tar.gz").is_final is final
    assert read(zipped({"demo-1.0.dist-info/METADATA": SAID + more}), "demo-1.0-py3-none-any.whl").is_final


@pytest.mark.parametrize(
    ("data", "file"),
    [
        (zipped({}), "demo-1.0-py3-none-any.whl"),
        (zipped({"demo-1.0.dist-info/METADATA": SAID, "demo-2.dist-info/METADATA": SAID}), "demo-1.0-py3-none-any.whl"),
        (zipped({"other-1.0.dist-info/METADATA": SAID}), "demo-1.0-py3-none-any.whl"),
        (zipped({"demo-1.0.dist-info/METADATA": SAID}, zipfile.ZIP_BZIP2), "demo-1.0-py3-none-any.whl"),
        (zipped({"demo-1.0.dist-info/METADATA": b"x" * (5 << 20)}), "demo-1.0-py3-none-any.whl"),
        (zipped({"demo-1.0.dist-info/METADATA": b"Name: demo\nVersion: 1\n"}), "demo-1.0-py3-none-any.whl"),
        (zipped({"demo-1.0.dist-info/METADATA": SAID.replace(b"1.0", b"one")}), "demo-1.0-py3-none-any.whl"),
        (zipped({"demo-1.0.dist-info/METADATA": SAID + b"Name: demo\n"}), "demo-1.0-py3-none-any.whl"),
        (zipped({"demo-1.0.dist-info/METADATA": SAID + b"Requires-Python: three\n"}), "demo-1.0-py3-none-any.whl"),
        (tarred({"PKG-INFO": SAID, "a/b/PKG-INFO": SAID}), "demo-1.0.tar.gz"),
        (tarred({"demo/PKG-INFO": b"x" * (5 << 20)}), "demo-1.0.tar.gz"),
        (gzip.compress(b""), "demo-1.0.tar.gz"),
        (gzip.compress(b"\xff" * 4096), "demo-1.0.tar.gz"),
        (b"", "demo-1.0.tar.gz"),
        (b"", "demo-1.0.zip"),
    ],
)
def test_what_is_refused(data: bytes, file: str) -> None:
    """Without metadata, with more than one, with one that says nothing, or that is packed as nobody packs it."""
    with pytest.raises(ValueError, match=r"."):
        read(data, file)


@given(st.data())
def test_damaged_archives(draw: st.DataObject) -> None:
    """Whatever is wrong with them is a ``ValueError``, or not in the way."""
    built = draw.draw(st.sampled_from([WHEEL, SDIST]))
    data = bytearray(built.data)
    for at in draw.draw(st.lists(st.integers(0, len(data) - 1), max_size=8)):
        data[at] = draw.draw(st.integers(0, 255))
    cut = draw.draw(st.integers(0, len(data)))
    with contextlib.suppress(ValueError):
        read(bytes(data[:cut]) if draw.draw(st.booleans()) else bytes(data), built.filename, "demo-pkg")


def bombs() -> dict[str, bytes]:
    """Small files that say much."""
    header = tarfile.TarInfo("demo/x")
    header.type, header.size = tarfile.XHDTYPE, 1 << 30
    return {
        "demo-1.0.tar.gz": gzip.compress(header.tobuf() + bytes(24 << 20)),
        "demo-1.0-py3-none-any.whl": zipped({"demo-1.0.dist-info/METADATA": bytes(32 << 20)}),
        "demo-1.0.zip": zipped({f"{at:0100}": b"" for at in range(50_000)}),
    }


@pytest.mark.parametrize("file", list(bombs()))
def test_memory(file: str) -> None:
    """A header of a gigabyte, metadata of many megabytes, a directory of as many: each is refused before it is in memory."""
    data = bombs()[file]
    with tempfile.TemporaryFile() as opened:
        opened.write(data)
        opened.flush()
        tracemalloc.start()
        try:
            with pytest.raises(ValueError, match=r"."):
                read_metadata(opened.fileno(), len(data), "demo", file)
            assert tracemalloc.get_traced_memory()[1] < 16 << 20
        finally:
            tracemalloc.stop()


def test_how_far_is_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is an end to what is unpacked, and to how many members are looked at."""
    data = tarred({"demo/a": bytes(4 << 20), "demo/PKG-INFO": SAID})
    assert read(data, "demo-1.0.tar.gz").name == "demo"
    monkeypatch.setattr(archive, "LOOKED_AT", 1 << 20)
    with pytest.raises(ValueError, match="too far"):
        read(data, "demo-1.0.tar.gz")
    monkeypatch.undo()
    monkeypatch.setattr(archive, "MEMBERS", 1)
    with pytest.raises(ValueError, match="one PKG-INFO"):
        read(data, "demo-1.0.tar.gz")


def test_trouble_of_the_disk() -> None:
    """Is no fault of the archive."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    try:
        with pytest.raises(OSError, match=r"."):
            read_metadata(descriptor, 100, "demo", "demo-1.0.zip")
    finally:
        os.close(descriptor)
