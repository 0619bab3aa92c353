"""Hashes, xorbs, shards and addresses of Xet. That they are what clients make is seen where real clients upload."""

import random
import tempfile
from collections.abc import Callable

import pytest

from regproxy.formats.huggingface.address import AddressError, Id, Type
from regproxy.formats.huggingface.xet.calls import Data, Reconstruction, Shard, Token, Unknown, XetCall, Xorb, is_xet, parse_xet
from regproxy.formats.huggingface.xet.hashes import of_chunk, of_xorb, to_text
from regproxy.formats.huggingface.xet.shard import File, ShardReader, Term
from regproxy.formats.huggingface.xet.xorb import CHUNK_LIMIT, chunks_of, name_of, read_chunk
from tests.fakes.xet_content import content_of, framed, make_shard, make_xorb

RNG = random.Random(11)
CHUNKS = [RNG.randbytes(RNG.randrange(1, 3000)) for _ in range(40)]
REPO = Id(Type.MODELS, "acme", "tiny")
HASH = "1" * 64
OLD = ("reconstruction", "reconstructions", "v1/reconstructions")


def in_file(data: bytes, work: Callable[[int], object]) -> object:
    """Do something with a file."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return work(file.fileno())


def test_hashes() -> None:
    """Of one chunk as hf_xet has sent it; of several, that of the tree, whatever a group ends with."""
    known = "59a00d5287dc2e2c66fa9748b7d8d86c6e0e80bc94647a8852e38376a1fb0ff3"
    raw = of_chunk(b"h\0llo xet")
    assert to_text(raw) == known
    assert to_text(of_xorb([(raw, 9)])) == known
    assert of_xorb([]) == bytes(32)
    names = {of_xorb([(of_chunk(chunk), len(chunk)) for chunk in CHUNKS[:count]]) for count in range(1, 41)}
    assert len(names) == 40
    assert of_xorb([(raw, 9), (raw, 9)]) != of_xorb([(raw, 9), (raw, 8)])


@pytest.mark.parametrize("schemes", [(0,), (1,), (2,), (0, 1, 2)])
@pytest.mark.parametrize("footer", [b"", b"XETBLOB and more"])
def test_xorbs(schemes: tuple[int, ...], footer: bytes) -> None:
    """Every chunk is read as it was, however it is compressed; a footer is none."""
    xorb = make_xorb(CHUNKS, schemes, footer)

    def work(descriptor: int) -> object:
        found = chunks_of(descriptor, len(xorb.body))
        return name_of(descriptor, len(xorb.body)), [read_chunk(descriptor, chunk) for chunk in found]

    assert in_file(xorb.body, work) == (xorb.name, CHUNKS)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"XETBLOB",
        framed(b"abc", 0)[:-1],
        framed(b"abc", 3),
        b"\0\5\0\0\1\3\0\0hello",
        b"\0\3\0\0\0\4\0\0abc",
        b"\0\3\0\0\1\3\0\0abc",
        framed(bytes(CHUNK_LIMIT + 1), 0),
        b"\0\0\0\0\0\0\0\0",
    ],
)
def test_what_is_no_xorb(body: bytes) -> None:
    """Cut, of an unknown scheme, spoilt, of another size, too large, empty."""
    with pytest.raises(ValueError, match="chunk"):
        in_file(body, lambda descriptor: name_of(descriptor, len(body)))


def test_a_chunk_that_would_never_end() -> None:
    """Is unpacked as far as its header says, and no further."""
    bomb = framed(bytes(CHUNK_LIMIT), 1)
    body = bomb[:5] + b"\x10\0\0" + bomb[8:]
    with pytest.raises(ValueError, match="another size"):
        in_file(body, lambda descriptor: name_of(descriptor, len(body)))


@pytest.mark.parametrize("size", [1, 47, 48, 1000, 1 << 20])
def test_shards(size: int) -> None:
    """Read in pieces of any size."""
    one, two = make_xorb(CHUNKS[:10]), make_xorb(CHUNKS[10:])
    shard = make_shard([(one, 0, 10), (two, 5, 7)], [(two, 0, 1)], sha256=HASH)
    reader = ShardReader()
    for at in range(0, len(shard), size):
        reader.feed(shard[at : at + size])
    first = (Term(one.name, 0, 10, len(content_of([(one, 0, 10)]))), Term(two.name, 5, 7, len(content_of([(two, 5, 7)]))))
    assert [File(file.sha256, tuple(file.terms)) for file in reader.end()] == [
        File(HASH, first),
        File(HASH, (Term(two.name, 0, 1, len(CHUNKS[10])),)),
    ]


@pytest.mark.parametrize("flags", [0x40000000, 0xC0000000])
def test_shards_without_verification(flags: int) -> None:
    """They say less, and are read all the same."""
    reader = ShardReader()
    reader.feed(make_shard([(make_xorb(CHUNKS[:2]), 0, 2)], flags=flags))
    assert len(reader.end()) == 1


def test_what_is_no_shard() -> None:
    """Of another kind, cut, without the digest, with a part of nothing, too much."""
    xorb = make_xorb(CHUNKS[:2])
    whole = make_shard([(xorb, 0, 2)])
    absurd = whole[:84] + b"\xff" * 4 + whole[88:]
    for wrong in (bytes(200), make_shard([(xorb, 0, 2)], flags=1 << 31), make_shard([(xorb, 1, 1)]), absurd):
        with pytest.raises(ValueError, match=r"it (is|does|has)|a part"):
            ShardReader().feed(wrong)
    for cut in (b"", whole[:100], whole[:200]):
        reader = ShardReader()
        reader.feed(cut)
        with pytest.raises(ValueError, match="cut"):
            reader.end()


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("api/models/acme/tiny/xet-write-token/main", Token(REPO, "main", writes=True)),
        ("api/datasets/squad/xet-read-token/main", Token(Id(Type.DATASETS, "", "squad"), "main", writes=False)),
        (f"api/xet/7/models/acme/tiny/v1/xorbs/default/{HASH}", Xorb(REPO, 7, HASH)),
        ("api/xet/7/models/acme/tiny/shards", Shard(REPO, 7, streams=False)),
        ("api/xet/7/models/acme/tiny/v1/shards", Shard(REPO, 7, streams=False)),
        ("api/xet/7/models/acme/tiny/v2/shards", Shard(REPO, 7, streams=True)),
        *((f"api/xet/0/models/acme/tiny/{path}/{HASH}", Reconstruction(REPO, HASH, is_new=False)) for path in OLD),
        (f"api/xet/0/models/acme/tiny/v2/reconstructions/{HASH}", Reconstruction(REPO, HASH, is_new=True)),
        (f"api/xet/0/models/acme/tiny/data/{HASH}/12", Data(REPO, HASH, 12)),
        (f"api/xet/7/models/acme/tiny/v1/xorb-grants/default/{HASH}", Unknown(REPO)),
        (f"api/xet/7/models/acme/tiny/v1/chunks/default-merkledb/{HASH}", Unknown(REPO)),
    ],
)
def test_addresses(address: str, expected: XetCall) -> None:
    """Each is known, by its shape alone."""
    segments = tuple(address.split("/"))
    assert (is_xet(segments), parse_xet(segments)) == (True, expected)


BELOW = "api/xet/7/models/a/b"


@pytest.mark.parametrize("address", ["api/xet/x/models/a/b/shards", f"{BELOW}/v1/xorbs/default/x", BELOW, "api/xet"])
def test_no_addresses(address: str) -> None:
    """These name nothing."""
    with pytest.raises(AddressError):
        parse_xet(tuple(address.split("/")))


def test_other_addresses() -> None:
    """A file may be called like a verb."""
    assert not is_xet(("acme", "tiny", "resolve", "main", "a", "xet-write-token"))
    assert not is_xet(("api", "models", "acme", "tiny"))
