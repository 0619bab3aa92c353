"""A bounded memory of nodes that were read lately, in front of an index: a hot hit costs one look-up in a dict.

Rules: an entry is dropped in the reactor's thread after its row was changed and before the one who changed it is told, so that
whoever knows of a change reads it. A change by another process, which ``generation`` shows, drops everything.
"""

from collections import OrderedDict

from attrs import define, field

from regproxy.index.generation import Generation
from regproxy.model.node import Node

CAPACITY = 4096


@define
class HotNodes:
    """Nodes by repository and path, least recently read first."""

    _generation: Generation | None = None
    _capacity: int = CAPACITY
    _seen: tuple[bytes, bytes] | None = field(init=False, default=None)
    _nodes: OrderedDict[tuple[str, str], Node] = field(init=False, factory=OrderedDict)

    def get(self, key: tuple[str, str]) -> Node | None:
        """A node, if it was read lately and nobody else has changed anything since."""
        if self._generation is not None:
            # Noted before the caller reads a row: a change in between is seen at the next look-up.
            others = self._generation.others()
            if others != self._seen:
                self._nodes.clear()
                self._seen = others
        node = self._nodes.get(key)
        if node is not None:
            self._nodes.move_to_end(key)
        return node

    def add(self, key: tuple[str, str], node: Node) -> None:
        """Remember a node that was read."""
        self._nodes[key] = node
        if len(self._nodes) > self._capacity:
            self._nodes.popitem(last=False)

    def drop(self, key: tuple[str, str]) -> None:
        """Forget a node that was changed."""
        self._nodes.pop(key, None)

    def drop_below(self, repository: str, prefix: str) -> None:
        """Forget every node whose path begins so."""
        for key in [key for key in self._nodes if key[0] == repository and key[1].startswith(prefix)]:
            del self._nodes[key]
