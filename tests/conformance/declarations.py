"""What every ``Declarations`` does. A test module gives the fixture ``told`` and subclasses ``DeclarationsContract``."""

from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred

from regproxy.index.interface import Index
from regproxy.index.interface_declarations import Declarations
from tests.conformance.index import node_at

FILES = {"key": "files", "rclass": "local", "odd": [1, {"x": None}]}


@frozen
class Told:
    """Declarations, the index below them, and how to wait for changes."""

    declarations: Declarations
    index: Index
    wait: Callable[[Deferred[Any]], Any]


class DeclarationsContract:
    """Behaviour that callers may rely on."""

    def test_what_was_said_is_kept(self, told: Told) -> None:
        """Whole, by key; a second one of its name is refused, and so is a change of one that is not there."""
        put = told.declarations.put
        assert told.wait(put("files", FILES, replace=False))
        assert not told.wait(put("files", {}, replace=False))
        assert not told.wait(put("other", {}, replace=True))
        assert {"files": FILES} == told.declarations.every()
        assert told.wait(put("files", {"key": "files"}, replace=True))
        assert {"files": {"key": "files"}} == told.declarations.every()

    def test_stamp_changes(self, told: Told) -> None:
        """With every change, and with nothing else."""
        seen = [told.declarations.stamp()]
        told.wait(told.declarations.put("files", FILES, replace=False))
        seen.append(told.declarations.stamp())
        assert told.declarations.stamp() == seen[-1]
        told.wait(told.declarations.remove("files"))
        seen.append(told.declarations.stamp())
        assert len(set(seen)) == 3

    def test_who_leaves_takes_everything_along(self, told: Told) -> None:
        """In steps; until the last one its name cannot be had."""
        for path in ("a", "b/c", "b/d"):
            told.wait(told.index.put(node_at(path, repository="files"), synced=True))
        told.wait(told.index.put(node_at("a", repository="kept"), synced=True))
        told.wait(told.declarations.put("files", FILES, replace=False))
        assert 0 == told.wait(told.declarations.clear("files"))
        assert 3 == told.wait(told.declarations.remove("files"))
        assert told.wait(told.declarations.remove("files")) is None
        assert ({}, ["files"]) == (told.declarations.every(), told.declarations.leaving())
        assert 2 == told.wait(told.declarations.clear("files", 2))
        assert not told.wait(told.declarations.put("files", FILES, replace=False))
        assert not told.wait(told.declarations.put("files", FILES, replace=True))
        assert 1 == told.wait(told.declarations.clear("files", 2))
        assert [] == told.declarations.leaving()
        assert [] == list(told.index.nodes("files"))
        assert ["a"] == [node.path for node in told.index.nodes("kept")]
        assert told.wait(told.declarations.put("files", FILES, replace=False))
