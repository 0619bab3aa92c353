"""Power losses, as far as a log of calls can tell: every prefix of it, with every choice of what was never synced and is gone.

The model: bytes of a file are safe once it was synced behind them; an entry of a folder is safe once the folder was synced behind
it. Everything else may be there or not, each on its own: more than any file system of ours does, and all that they do.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from posixpath import dirname

from attrs import define, field, frozen

from tests.faults.crash.shim import Call

MOST_LOOSE = 10

_WRITES = frozenset({"write", "pwrite64", "writev", "pwritev", "pwritev2"})
_SYNCS = frozenset({"fsync", "fdatasync"})
_RENAMES = frozenset({"rename", "renameat", "renameat2"})
_LINKS = frozenset({"link", "linkat"})
_UNLINKS = frozenset({"unlink", "unlinkat", "rmdir"})


@frozen
class Entry:
    """One change of a folder: a name comes to stand for an object, or goes (None)."""

    path: str
    thing: int | None


@define(eq=False)
class Disk:
    """What calls have done. ``things`` are files and folders, numbered as they are made."""

    names: dict[str, int] = field(factory=dict)
    written: dict[int, int] = field(factory=dict)
    safe_bytes: dict[int, int] = field(factory=dict)
    safe: list[Entry] = field(factory=list)
    loose: list[Entry] = field(factory=list)

    def apply(self, call: Call) -> None:
        """Do what a call does; the log has those too that failed, because a folder was not there yet."""
        if call.other and dirname(call.other) not in self.names:
            return
        if call.name in ("openat", "mkdir", "mkdirat"):
            if call.path not in self.names:
                self._enter(call.path, len(self.written) + 1)
                self.written[self.names[call.path]] = 0
        elif call.name in _WRITES:
            thing = self.names[call.path]
            self.written[thing] = max(self.written[thing], call.offset + call.length)
        elif call.name in _SYNCS:
            self._sync(call.path)
        elif call.name in _RENAMES:
            thing = self.names[call.path]
            self._enter(call.other, thing)
            self._enter(call.path, None)
        elif call.name in _LINKS:
            self._enter(call.other, self.names[call.path])
        elif call.name in _UNLINKS:
            self._enter(call.path, None)

    def _enter(self, path: str, thing: int | None) -> None:
        self.loose.append(Entry(path, thing))
        if thing is None:
            self.names.pop(path, None)
        else:
            self.names[path] = thing

    def _sync(self, path: str) -> None:
        if path in self.names:
            self.safe_bytes[self.names[path]] = self.written[self.names[path]]
        self.safe += [entry for entry in self.loose if dirname(entry.path) == path]
        self.loose = [entry for entry in self.loose if dirname(entry.path) != path]

    def losses(self) -> Iterator["Remains"]:
        """Everything that a power loss may leave now."""
        assert len(self.loose) <= MOST_LOOSE, "too many for all their choices"
        torn = {thing: self.safe_bytes.get(thing, 0) for thing in self.written}
        for count in range(len(self.loose) + 1):
            for kept in combinations(self.loose, count):
                names: dict[str, int] = {}
                for entry in (*self.safe, *kept):
                    if entry.thing is None:
                        names.pop(entry.path, None)
                    else:
                        names[entry.path] = entry.thing
                for sizes in (torn, self.written):
                    yield Remains(names, sizes, frozenset(self.names) | frozenset(names))


@frozen
class Remains:
    """What one power loss leaves: names, and how many bytes of each thing."""

    names: dict[str, int]
    sizes: dict[int, int]
    known: frozenset[str]

    def size_at(self, path: str) -> int | None:
        """Bytes at a name; None if it, or a folder above it, is not there."""
        above = dirname(path)
        while above in self.known:
            if above not in self.names:
                return None
            above = dirname(above)
        thing = self.names.get(path)
        return None if thing is None else self.sizes[thing]


def broken(calls: Sequence[Call], path: str, size: int) -> list[str]:
    """What is wrong with a commit of ``size`` bytes to ``path``, whose word was given behind the last of these calls."""
    disk, found = Disk(), []
    for call in calls:
        disk.apply(call)
        sizes = {remains.size_at(path) for remains in disk.losses()}
        if sizes - {None, size}:
            found.append(f"behind {call.number} ({call.name}): torn, {sorted(sizes - {None, size})} bytes")  # type: ignore[type-var] # no None
    if None in {remains.size_at(path) for remains in disk.losses()}:
        found.append("its word was given, and it is gone")
    return found
