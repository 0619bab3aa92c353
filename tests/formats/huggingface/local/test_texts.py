"""What clients send, and what is kept of it: lines of commits, names, bodies of calls, parts of lists."""

import json
from base64 import b64encode

import pytest

from regproxy.formats.huggingface.address import AddressError, Id, Type
from regproxy.formats.huggingface.local import asked, calls
from regproxy.formats.huggingface.local.history import Commit
from regproxy.formats.huggingface.local.listing import Page
from regproxy.formats.huggingface.local.operations import (
    AddFile,
    AddLfs,
    CopyFile,
    DeleteFile,
    DeleteFolder,
    Header,
    Operation,
    parse_header,
    parse_operation,
)
from regproxy.formats.huggingface.local.references import References, is_name

OID = "1" * 64
REPO = Id(Type.MODELS, "acme", "tiny")


def line(key: str, **value: object) -> bytes:
    """One line."""
    return json.dumps({"key": key, "value": value}).encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (line("file", path="a", content=b64encode(b"x").decode(), encoding="base64"), AddFile("a", b"x")),
        (line("file", path="a", content="ä", encoding="utf-8"), AddFile("a", "ä".encode())),
        (line("lfsFile", path="a", algo="sha256", oid=OID, size=3), AddLfs("a", OID, 3)),
        (line("lfsFile", path="a", oid=OID), AddLfs("a", OID)),
        (line("deletedFile", path="a"), DeleteFile("a")),
        (line("deletedFolder", path="a/"), DeleteFolder("a")),
        (line("copyFile", path="a", srcPath="b", srcRevision="v1"), CopyFile("a", "b", "v1")),
    ],
)
def test_lines(text: bytes, expected: Operation) -> None:
    """Each kind."""
    assert parse_operation(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"key": "file"}',
        line("file", path="a", content="?", encoding="base64"),
        line("file", path="a", content="x", encoding="latin-1"),
        line("file", path="../a", content=""),
        line("lfsFile", path="a", oid="x"),
        line("lfsFile", path="a", oid=OID, algo="md5"),
        line("move", path="a"),
        b"[" * 100_000,
    ],
)
def test_bad_lines(text: bytes) -> None:
    """Each says why."""
    with pytest.raises(AddressError, match="the commit cannot be taken"):
        parse_operation(text)


def test_headers() -> None:
    """A title is one line; without one the commit has one all the same."""
    assert parse_header(line("header", summary=" a\nb ", description="c", parentCommit="AB")) == Header("a b", "c", "ab")
    assert parse_header(line("header", summary="")).title
    for text in (b"", b"{}", line("file", path="a")):
        with pytest.raises(AddressError, match="no header"):
            parse_header(text)


def test_references() -> None:
    """Kept in the words of the hub; a branch is meant before a tag."""
    found = References({"main": "1", "x": "2"}, {"x": "3", "v1": "4"})
    assert References.of(found.to_json()) == found
    assert json.loads(found.to_json())["branches"][0] == {"name": "main", "ref": "refs/heads/main", "targetCommit": "1"}
    assert json.loads(found.to_json())["converts"] == []
    meant = {name: found.commit(name) for name in ("main", "x", "refs/tags/x", "refs/heads/x", "v1", "none")}
    assert meant == {"main": "1", "x": "2", "refs/tags/x": "3", "refs/heads/x": "2", "v1": "4", "none": None}
    assert found.with_branch("main", None).default == "x"
    assert found.with_tag("v1", None).commit("v1") is None
    assert References().default == "main"


def test_names() -> None:
    """As Git has them."""
    assert [name for name in ("main", "dev/x", "v1.0", "a" * 40, "ä") if not is_name(name)] == []
    wrong = ["", "a..b", "a b", "/a", "a/", "a//b", ".a", "a/.b", "a.", "a.lock", "a~1", "a^", "a:b", "-a"]
    wrong += ["refs/heads/a", "a" * 201]
    assert [name for name in wrong if is_name(name)] == []


def test_commits() -> None:
    """Kept with what its name is made of."""
    commit = Commit(("1" * 40,), "2" * 40, "ann", 1_700_000_000, "t", "m", "r")
    assert Commit.of(commit.to_json()) == commit
    assert commit.date == "2023-11-14T22:13:20.000Z"


def test_pages() -> None:
    """From the cursor on, so many, and where the rest is."""
    names = ["a", "b", "c", "d"]
    first, following = Page.of("limit=2&recursive=True", 10).cut(names)
    assert (list(first), following) == (["a", "b"], "limit=2&recursive=true&cursor=b")
    assert Page.of(following or "", 10).cut(names) == (["c", "d"], None)
    assert Page.of("limit=0002", 10).limit == 2
    assert Page.of("limit=99999", 10).limit == 1000
    with pytest.raises(AddressError):
        Page.of("limit=x", 10)


def test_how_files_are_sent() -> None:
    """What is large, and what is no text, as an object of its own; a sample may end within a letter."""
    cut = "ä".encode() * 300
    regular = [asked.File("a", 5, b"hello"), asked.File("a", 0), asked.File("a", 600, cut[:511])]
    objects = [asked.File("a", 511, cut[:511]), asked.File("a", 2, b"\xff\xfe")]
    objects += [asked.File("a", 5, b"he\0lo"), asked.File("a", 2 << 20, b"x")]
    assert [each.is_lfs for each in (*regular, *objects)] == [False] * 3 + [True] * 4
    with pytest.raises(AddressError, match="cannot be read"):
        asked.read(b"{", asked.Preupload)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("api/repos/create", calls.Repos("create")),
        ("api/models/acme/tiny/preupload/main", calls.Preupload(REPO, "main")),
        ("api/models/acme/tiny/commit/main", calls.NewCommit(REPO, "main")),
        ("api/datasets/acme/tiny/branch/x", calls.Branch(Id(Type.DATASETS, "acme", "tiny"), "x")),
        ("api/models/acme/tiny/tag/v1", calls.Tag(REPO, "v1")),
        ("api/models/acme/tiny/super-squash/main", calls.Squash(REPO, "main")),
        ("api/models/acme/tiny/auth-check/write", calls.MayWrite(REPO)),
        ("acme/tiny.git/info/lfs/objects/batch", calls.Batch(REPO)),
        ("acme/tiny.git/info/lfs/objects/verify", calls.Verify(REPO)),
        (f"spaces/acme/tiny.git/info/lfs/objects/{OID}", calls.Object(Id(Type.SPACES, "acme", "tiny"), OID)),
        (f"acme/tiny.git/info/lfs/objects/{OID}/parts/s/5/2", calls.Pieces(REPO, OID, "s", 5, 2)),
        (f"acme/tiny.git/info/lfs/objects/{OID}/parts/s/5", calls.Pieces(REPO, OID, "s", 5)),
    ],
)
def test_calls(address: str, expected: calls.Call) -> None:
    """Each address."""
    assert calls.parse_call(address.split("/")) == expected


@pytest.mark.parametrize(
    "address",
    [
        "api",
        "api/repos/other",
        "api/models/acme/tiny/commit",
        "api/models/acme/tiny/commit/a/b",
        "acme/tiny.git/info/lfs/objects/x",
        "acme/tiny/info/lfs/objects/batch",
        f"acme/tiny.git/info/lfs/objects/{OID}/parts/s/0",
        f"acme/tiny.git/info/lfs/objects/{OID}/parts/s/5/x",
        "acme/a..b.git/info/lfs/objects/batch",
    ],
)
def test_no_calls(address: str) -> None:
    """These name nothing."""
    with pytest.raises(AddressError):
        calls.parse_call(address.split("/"))


def test_named_in_bodies() -> None:
    """With an organization, without one, and as a whole name."""
    assert calls.repo_of("model", "acme", "tiny", "ann") == REPO
    assert calls.repo_of("", None, "acme/tiny", "ann") == REPO
    assert calls.repo_of("dataset", None, "rows", "ann") == Id(Type.DATASETS, "ann", "rows")
    with pytest.raises(AddressError, match="model, dataset or space"):
        calls.repo_of("other", None, "a/b", "ann")
