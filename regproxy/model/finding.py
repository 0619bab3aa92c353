"""What somebody looks for among all items, as values: an index finds them, a language writes them. Pure.

An item is a file or a folder. Its path is that of the folder that it lies in, ``.`` at the top, and its name is the rest.
"""

from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

from attrs import field, frozen


class Field(Enum):
    """What is known of every item."""

    REPO = "repo"
    PATH = "path"
    NAME = "name"
    TYPE = "type"
    SIZE = "size"
    DEPTH = "depth"
    CREATED = "created"
    CREATED_BY = "created_by"
    MODIFIED = "modified"
    MODIFIED_BY = "modified_by"
    UPDATED = "updated"
    SHA256 = "sha256"
    SHA1 = "actual_sha1"
    MD5 = "actual_md5"
    DOWNLOADS = "stat.downloads"
    DOWNLOADED = "stat.downloaded"


class How(Enum):
    """How it is compared. Matching knows ``*`` and ``?``, which ``\\`` takes their meaning from."""

    EQ = "$eq"
    NE = "$ne"
    GT = "$gt"
    GTE = "$gte"
    LT = "$lt"
    LTE = "$lte"
    MATCH = "$match"
    NMATCH = "$nmatch"
    EQIC = "$eqic"
    MATCHIC = "$matchic"


@frozen
class Compare:
    """A field has a value. Times are seconds since the epoch."""

    field: Field
    how: How
    value: str | float


@frozen
class Property:
    """One property has this name and this value, each unless it is None. Of ``NE`` and ``NMATCH``: none has the value."""

    name: tuple[How, str] | None
    value: tuple[How, str] | None


@frozen
class SameProperty:
    """One and the same property is all of this."""

    parts: tuple[Property, ...]


@frozen
class AllOf:
    """Every part holds; of none, anything."""

    parts: "tuple[Criterion, ...]"


@frozen
class AnyOf:
    """One part holds at least."""

    parts: "tuple[Criterion, ...]"


Criterion: TypeAlias = Compare | Property | SameProperty | AllOf | AnyOf


@frozen
class Finding:
    """What is looked for, and in which order it is wanted.

    Attributes:
        order: fields and whether they fall; repository and path decide behind them.
        with_properties, with_checksums: they are wanted with each item.
    """

    criterion: Criterion
    order: tuple[tuple[Field, bool], ...] = ()
    with_properties: bool = False
    with_checksums: bool = False


@frozen
class Found:
    """An item; ``path`` is the whole of it, a folder's with its slash, and ``sha256`` empty of a folder."""

    repository: str
    path: str
    size: int
    created: float
    modified: float
    created_by: str
    modified_by: str
    sha256: str
    downloads: int
    downloaded: float | None
    properties: tuple[tuple[str, str], ...] = ()
    checksums: Mapping[str, str] = field(factory=dict)
