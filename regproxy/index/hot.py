"""A bounded memory of nodes that were read lately, in front of an index: a hot hit costs one look-up in a dict.

Only one process may write to the index behind it. Rule: an entry is dropped in the reactor's thread after its row was
changed and before the one who changed it is told, so that whoever knows of a change reads it.
"""

from collections import OrderedDict

from attrs import define, field

from regproxy.model.node import Node

CAPACITY = 4096


@define
class HotNodes:
    """Nodes by repository and path, least recently read first."""

    _capacity: int = CAPACITY
    _nodes: OrderedDict[tuple[str, str], Node] = field(init=False, factory=OrderedDict)

    def get(self, key: tuple[str, str]) -> Node | None:
        """A node, if it was read lately."""
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
