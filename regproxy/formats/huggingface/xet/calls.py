"""Read the addresses of Xet: those by which a client is told where to go, and those below that. Pure.

    api/{type}/{id}/xet-{write,read}-token/{revision}      behind the endpoint
    api/xet/{generation}/{type}/{ns}/{name}/…              what tokens lead to: the store of one repository

Addresses of all generations of clients are known.
"""

import re
from collections.abc import Sequence

from attrs import frozen

from regproxy.formats.huggingface.address import Id, Type, parse_id, parse_revision, unknown

_TYPES = {each.value: each for each in Type}
_HASH = re.compile(r"[0-9a-f]{64}")
_GENERATION = re.compile(r"[0-9]{1,9}")


@frozen
class Token:
    """Where do I write to, or read from."""

    repo: Id
    revision: str
    writes: bool


@frozen
class Xorb:
    """Take a xorb."""

    repo: Id
    generation: int
    hash: str


@frozen
class Shard:
    """Take a shard; ``streams`` is whether the answer is to say how it goes."""

    repo: Id
    generation: int
    streams: bool


@frozen
class Reconstruction:
    """How is a file put together; ``is_new`` is how the answer is to be shaped."""

    repo: Id
    sha256: str
    is_new: bool


@frozen
class Data:
    """A part of a window of a file."""

    repo: Id
    sha256: str
    window: int


@frozen
class Unknown:
    """What only newer servers have: the client goes another way when it hears that."""

    repo: Id


XetCall = Token | Xorb | Shard | Reconstruction | Data | Unknown


def is_xet(segments: Sequence[str]) -> bool:
    """Whether an address is one of these."""
    return segments[:2] == ("api", "xet") or any(each in ("xet-write-token", "xet-read-token") for each in segments[3:5])


def parse_xet(segments: Sequence[str]) -> XetCall:
    """Read what stands behind the endpoint; ``AddressError`` for what names nothing."""
    match list(segments):
        case ["api", "xet", generation, kind, namespace, name, *rest] if _GENERATION.fullmatch(generation) and kind in _TYPES:
            return _parse_store(parse_id(_TYPES[kind], [namespace, name]), int(generation), rest)
        case ["api", kind, *rest] if kind in _TYPES and len(rest) in (3, 4):
            *names, verb, revision = rest
            if verb in ("xet-write-token", "xet-read-token"):
                return Token(parse_id(_TYPES[kind], names), parse_revision(revision), verb == "xet-write-token")
    raise unknown()


def _parse_store(repo: Id, generation: int, segments: Sequence[str]) -> XetCall:
    match segments:
        case ["v1", "xorbs", _, hash_] if _HASH.fullmatch(hash_):
            return Xorb(repo, generation, hash_)
        case ["shards"] | ["v1", "shards"]:
            return Shard(repo, generation, streams=False)
        case ["v2", "shards"]:
            return Shard(repo, generation, streams=True)
        case ["reconstruction" | "reconstructions", id_] | ["v1" | "v2", "reconstructions", id_] if _HASH.fullmatch(id_):
            return Reconstruction(repo, id_, segments[0] == "v2")
        case ["data", id_, window] if _HASH.fullmatch(id_) and _GENERATION.fullmatch(window):
            return Data(repo, id_, int(window))
        case ["v1", "xorb-grants" | "chunks", *_]:
            return Unknown(repo)
    raise unknown()
