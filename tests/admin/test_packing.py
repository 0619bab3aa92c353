"""Archives that are written as they go: what other programs read out of them."""

import io
import tarfile
import zipfile
from collections.abc import Iterator
from itertools import pairwise

import pytest

from regproxy.admin.packing import TYPES, Packer, packer_for

FILES = {"a.txt": b"text", "deep/" * 30 + "ä b.bin": bytes(range(256)) * 3000, "empty": b"", "exact": b"x" * 512}
WHEN = 1_700_000_000.0


def packed(kind: str, files: dict[str, bytes], when: float = WHEN) -> Iterator[bytes]:
    """Everything that comes out, file by file."""
    packer = packer_for(kind)
    for name, data in files.items():
        yield packer.begin(name, len(data), when)
        for at in range(0, len(data), 100_000):
            yield packer.add(data[at : at + 100_000])
        yield packer.end()
    yield packer.close()


def unpacked(kind: str, data: bytes) -> dict[str, bytes]:
    """What is in one."""
    if kind == "zip":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.testzip() is None
            return {name: archive.read(name) for name in archive.namelist()}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:" if kind == "tar" else "r:gz") as archive:
        found = {member.name: archive.extractfile(member) for member in archive.getmembers()}
        return {name: file.read() for name, file in found.items() if file is not None}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("files", [FILES, {}])
def test_read_back(kind: str, files: dict[str, bytes]) -> None:
    """Every file with its name and its bytes, in their order."""
    data = b"".join(packed(kind, files))
    assert list(files.items()) == list(unpacked(kind, data).items())


@pytest.mark.parametrize("kind", TYPES)
def test_as_it_goes(kind: str) -> None:
    """Nothing is kept back until the end but a window of the compressor's and the directory."""
    sizes = [0]
    packer = packer_for(kind)
    sizes.append(len(packer.begin("noise", 8 << 20, WHEN)))
    noise = io.BytesIO(b"".join((at * 2654435761 % 2**32).to_bytes(4, "big") for at in range(2 << 20)))
    while piece := noise.read(1 << 20):
        sizes.append(sizes[-1] + len(packer.add(piece)))
    steps = [after - before for before, after in pairwise(sizes[1:])]
    assert min(steps) > (1 << 17)
    assert sizes[-1] + len(packer.end()) + len(packer.close()) < (9 << 20)


@pytest.mark.parametrize(("when", "expected"), [(0.0, (1980, 1, 1)), (WHEN, (2023, 11, 14)), (1e12, (2107, 12, 31))])
def test_dates(when: float, expected: tuple[int, int, int]) -> None:
    """A zip has those from 1980 to 2107."""
    with zipfile.ZipFile(io.BytesIO(b"".join(packed("zip", {"a": b""}, when)))) as archive:
        assert expected == archive.infolist()[0].date_time[:3]


def test_a_large_zip() -> None:
    """Says sizes in eight bytes, both behind the file and in the directory."""
    packer = packer_for("zip")
    begun = packer.begin("large", 5 << 30, WHEN)
    data = begun + packer.add(b"x") + packer.end() + packer.close()
    assert 45 == int.from_bytes(begun[4:6], "little")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert b"x" == archive.read("large")


def dropped(packer: Packer) -> None:
    """Leave one in the middle of a file."""
    packer.begin("a", 10, WHEN)
    packer.add(b"12345")
    packer.drop()


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.filterwarnings("error")
def test_given_up(kind: str) -> None:
    """One whose client has left is let go of without a word."""
    dropped(packer_for(kind))
    packer_for(kind).drop()
