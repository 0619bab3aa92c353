"""What clients put into repositories, as values: uploads, the rows that come of them, folders, properties.

A folder is written as its path with a slash at the end, so that it is never a node's path; ``""`` is the repository itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from attrs import field, frozen

from regproxy.model.digest import Digest
from regproxy.model.head import Head
from regproxy.model.node import Node

Properties: TypeAlias = Mapping[str, tuple[str, ...]]
"""Names with at least one value each."""


@frozen
class Upload:
    """What a client wants to put somewhere.

    Attributes:
        path: of the node that it becomes.
        promised: what the client says the bytes are.
        properties: of the node.
        by: who it is.
        may_replace: whether there may be a node already.
        head: what downloads are to say, in place of what follows from the name; length and date are filled in.
        is_transient: it is there for others to be made of it, and leaves soon: of the repository's quota it takes nothing, but
            all such together may be as large.
    """

    path: str
    promised: tuple[Digest, ...] = ()
    properties: Properties = field(factory=dict)
    by: str = ""
    may_replace: bool = False
    head: Head | None = None
    is_transient: bool = False


@frozen
class Deposit:
    """A node that is about to be put, with all that has to hold for it at that moment.

    Attributes:
        node: as it will be.
        digests: of its blob, by all algorithms that are known.
        most: bytes that the repository may hold with it; None for no limit.
        is_transient: as of an upload.
    """

    node: Node
    digests: Sequence[Digest]
    properties: Properties
    by: str
    may_replace: bool
    most: int | None = None
    is_transient: bool = False


@frozen
class Taking:
    """A node that is to be somewhere else, too, or instead; its properties go with it.

    Attributes:
        node: as it was seen: if it is another one by now, nothing is done.
        repository, path: where it is to be.
        by, may_replace, most: as of a deposit.
        moves: it leaves its place.
        when: seconds since the epoch.
        marks: properties that it gets.
    """

    node: Node
    repository: str
    path: str
    by: str
    may_replace: bool
    moves: bool
    when: float
    most: int | None = None
    marks: Properties = field(factory=dict)


@frozen
class Step:
    """Changes of one repository that are made together, or not at all.

    Attributes:
        deposits: nodes to put.
        removed: paths to remove before: nodes, and folders with all that is in them.
        expected: what they were made from: the SHA-256 of the node at a path, None where there is to be none.
    """

    deposits: Sequence[Deposit]
    removed: Sequence[str] = ()
    expected: Mapping[str, str | None] = field(factory=dict)


@frozen
class Folder:
    """One folder: by whom and when it was made, and when something was last put into it."""

    path: str
    created: float
    modified: float
    created_by: str = ""


@frozen
class Child:
    """What lies directly in a folder: a node, or a folder if ``node`` is None."""

    name: str
    node: Node | None


@frozen
class Downloads:
    """How often a node was downloaded, when last (seconds since the epoch), and by whom; empty for nobody by name."""

    count: int
    last: float | None
    by: str = ""


@frozen
class Depositors:
    """Who put a node first, and who put its present bytes."""

    created_by: str
    modified_by: str


@frozen
class Occupied:
    """What clients have put into a repository; ``transient`` are bytes of what leaves soon, and is counted nowhere else."""

    size: int = 0
    files: int = 0
    transient: int = 0


def folders_above(path: str) -> Iterator[str]:
    """Every folder that a node or folder lies in, the repository itself excepted: ``a/``, ``a/b/`` for ``a/b/c``."""
    at = path.find("/")
    while 0 <= at < len(path) - 1:
        yield path[: at + 1]
        at = path.find("/", at + 1)
