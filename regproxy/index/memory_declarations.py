"""``Declarations`` in dicts: the twin of ``sqlite_declarations`` for tests and for trying things out."""

import sys
from collections.abc import Mapping, Sequence

from attrs import define, field
from twisted.internet.defer import Deferred, succeed

from regproxy.index.interface_declarations import Said
from regproxy.index.memory import MemoryIndex


@define(eq=False)
class MemoryDeclarations:
    """A ``Declarations`` that lasts as long as the object, over an index in dicts."""

    _index: MemoryIndex = field(factory=MemoryIndex)
    _stamp: int = field(init=False, default=0)
    _said: dict[str, Said | None] = field(init=False, factory=dict)

    def stamp(self) -> int:
        """How many changes there were."""
        return self._stamp

    def every(self) -> Mapping[str, Said]:
        """All."""
        return {key: said for key, said in sorted(self._said.items()) if said is not None}

    def leaving(self) -> Sequence[str]:
        """Those of which nothing is said any more."""
        return sorted(key for key, said in self._said.items() if said is None)

    def put(self, key: str, said: Said, *, replace: bool) -> Deferred[bool]:
        """Keep one."""
        if (key in self._said) != replace or (replace and self._said[key] is None):
            return succeed(False)  # noqa: FBT003 - the result
        self._said[key] = said
        self._stamp += 1
        return succeed(True)  # noqa: FBT003 - the result

    def remove(self, key: str) -> Deferred[int | None]:
        """Begin to remove one."""
        if self._said.get(key) is None:
            return succeed(None)
        self._said[key] = None
        self._stamp += 1
        return succeed(len(self._index.nodes(key, limit=sys.maxsize)))

    def clear(self, key: str, limit: int = 1000) -> Deferred[int]:
        """Go on with it."""
        if self._said.get(key) is not None:
            return succeed(0)
        nodes = self._index.nodes(key, limit=limit)
        for node in nodes:
            self._index.remove(key, node.path)
        if len(nodes) < limit:
            self._said.pop(key, None)
        return succeed(len(nodes))
