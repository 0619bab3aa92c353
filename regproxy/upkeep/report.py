"""What a verification says: findings, and a report of them. Values that cross the control socket as JSON."""

from enum import Enum

import msgspec


class Trouble(Enum):
    """What can be wrong; ``docs/ops/running.md`` explains each to operators."""

    DAMAGED = "damaged"  # a blob that does not hash to its name, or cannot be read
    MISSING = "missing"  # a row whose blob is not there
    SIZE = "size"  # a row that has another size than its blob
    INDEX = "index"  # the database contradicts itself
    SPOOL = "spool"  # something in the spool that nobody is writing
    ORPHAN = "orphan"  # a blob without a row: garbage, which harms nobody
    TORN = "torn"  # the same, and not what its name says either


_HARMLESS = frozenset({Trouble.ORPHAN})
_STRICT = frozenset({Trouble.SPOOL, Trouble.TORN})


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong.

    Attributes:
        name: of a blob, of a spool file, or empty.
        nodes: the repository:path of what points to it.
        local: one of these came from no upstream, so nobody can bring it back but who put it there.
    """

    trouble: Trouble
    name: str = ""
    detail: str = ""
    nodes: tuple[str, ...] = ()
    local: bool = False
    repaired: bool = False


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a verification is."""

    blobs: int
    bytes: int
    total_bytes: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A whole verification."""

    blobs: int
    bytes: int
    seconds: float
    strict: bool
    findings: tuple[Finding, ...]

    @property
    def violations(self) -> tuple[Finding, ...]:
        """Findings that break an invariant: garbage does not, leftovers and torn garbage do if that was asked."""
        mild = _HARMLESS if self.strict else _HARMLESS | _STRICT
        return tuple(finding for finding in self.findings if finding.trouble not in mild)
