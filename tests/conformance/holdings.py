"""What every ``Holdings`` does. A test module gives the fixture ``kept`` and subclasses ``HoldingsContract``."""

from typing import Any

import pytest
from attrs import evolve, frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.index.interface_holdings import Holdings
from regproxy.model.deposit import Child, Deposit, Depositors, Downloads, Folder, Occupied, Properties, Step, Taking
from regproxy.model.digest import Digest
from regproxy.model.head import Head
from regproxy.model.node import Node
from tests.conformance.index import node_at, sha256
from tests.index.threads import Subject

MD5 = Digest("md5", "0" * 32)
SHA1 = Digest("sha1", "1" * 40)


@frozen
class Kept:
    """An index and its second view."""

    subject: Subject
    holdings: Holdings

    def put(self, path: str, blob: int = 1, when: float = 5.0, **more: Any) -> bool:
        """Deposit a node of ten times ``blob`` bytes into ``r``."""
        given = deposit_of(path, blob, when)
        return bool(self.subject.wait(self.holdings.deposit(evolve(given, **more))))

    def names(self, path: str, after: str = "", limit: int = 1000) -> list[str]:
        """Children, folders with their slash."""
        return [shown(child) for child in self.holdings.children("r", path, after, limit)]

    def refused(self, path: str, **more: Any) -> Kind:
        """Why a deposit is not taken."""
        with pytest.raises(RegproxyError) as caught:
            self.put(path, **more)
        return caught.value.kind


def shown(child: Child) -> str:
    """One name."""
    return child.name if child.node else f"{child.name}/"


def deposit_of(path: str, blob: int, when: float, properties: Properties | None = None) -> Deposit:
    """By somebody called ``ann``."""
    head = Head(blob * 10, "text/plain", '"e"', None, sha256=sha256(blob))
    node = Node("r", path, sha256(blob), blob * 10, head, created=when, modified=when, checked=when)
    return Deposit(node, (SHA1, MD5), properties or {}, "ann", may_replace=True)


class HoldingsContract:
    """Behaviour that callers may rely on."""

    def test_a_deposit(self, kept: Kept) -> None:
        """The node is there, durable, with who put it, its digests, its properties, and the folders above it."""
        assert kept.put("a/b/c", properties={"k": ("v", "w")})
        node = kept.subject.index.node("r", "a/b/c")
        assert node is not None
        assert (sha256(1), 10, 5.0) == (node.sha256, node.size, node.created)
        assert Depositors("ann", "ann") == kept.holdings.depositors("r", "a/b/c")
        assert {SHA1, MD5} == set(kept.holdings.digests(sha256(1)))
        assert {"k": ("v", "w")} == kept.holdings.properties("r", "a/b/c")
        assert Folder("a/b/", 5.0, 5.0, "ann") == kept.holdings.folder("r", "a/b/")
        assert Occupied(10, 1) == kept.holdings.occupied("r")
        assert [] == list(kept.subject.index.unsynced())

    def test_replacing(self, kept: Kept) -> None:
        """The new bytes with their own properties, the old birthday, and the sum that is left."""
        kept.put("a", 1, 5.0, properties={"old": ("1",)})
        assert not kept.put("a", 3, 9.0, by="bob", properties={"new": ("2",)})
        node = kept.subject.index.node("r", "a")
        assert node is not None
        assert (sha256(3), 5.0, 9.0) == (node.sha256, node.created, node.modified)
        assert {"new": ("2",)} == kept.holdings.properties("r", "a")
        assert Depositors("ann", "bob") == kept.holdings.depositors("r", "a")
        assert Occupied(30, 1) == kept.holdings.occupied("r")

    def test_refusals_change_nothing(self, kept: Kept) -> None:
        """What may not be replaced, what is a folder, what is below a file, and what does not fit."""
        kept.put("a/b")
        assert Kind.DENIED is kept.refused("a/b", may_replace=False)
        assert Kind.CONFLICT is kept.refused("a")
        assert Kind.CONFLICT is kept.refused("a/b/c/d")
        assert Kind.TOO_LARGE is kept.refused("x/y", blob=2, most=29)
        assert kept.holdings.folder("r", "a/b/c/") is None
        assert kept.holdings.folder("r", "x/") is None
        assert Occupied(10, 1) == kept.holdings.occupied("r")
        assert kept.put("x/y", blob=2, most=30)
        assert not kept.put("x/y", blob=1, most=30)

    def test_what_leaves_soon(self, kept: Kept) -> None:
        """Has a sum and a limit of its own, whatever takes its place, and however it goes."""
        kept.put("a", blob=2, most=30)
        kept.put("t", blob=3, most=30, is_transient=True)
        assert Occupied(20, 1, 30) == kept.holdings.occupied("r")
        assert Kind.TOO_LARGE is kept.refused("u", most=39, is_transient=True)
        assert Kind.TOO_LARGE is kept.refused("b", blob=2, most=30)
        assert kept.put("b", most=30)
        assert not kept.put("t", blob=3, most=30, is_transient=True)
        assert Occupied(30, 2, 30) == kept.holdings.occupied("r")
        assert not kept.put("t", blob=1)
        assert Occupied(40, 3, 0) == kept.holdings.occupied("r")
        assert not kept.put("t", blob=2, is_transient=True)
        assert kept.subject.index.complaints() == []
        kept.subject.wait(kept.holdings.delete("r", "t"))
        assert Occupied(30, 2, 0) == kept.holdings.occupied("r")
        assert kept.subject.index.complaints() == []

    def test_taking(self, kept: Kept) -> None:
        """A node is at another place, too, with what is known of it; the one that moves has left."""
        kept.put("a/b", properties={"k": ("v", "w")})
        node = kept.subject.index.node("r", "a/b")
        assert node is not None
        taking = Taking(node, "s", "x/y", "bob", may_replace=False, moves=False, when=9.0, marks={"m": ("1",)})
        assert kept.subject.wait(kept.holdings.take(taking))
        there = kept.subject.index.node("s", "x/y")
        assert there is not None
        assert (node.sha256, node.head, node.created, node.modified) == (there.sha256, there.head, there.created, there.modified)
        assert {"k": ("v", "w"), "m": ("1",)} == kept.holdings.properties("s", "x/y")
        assert Depositors("ann", "bob") == kept.holdings.depositors("s", "x/y")
        assert (Occupied(10, 1), Occupied(10, 1)) == (kept.holdings.occupied("r"), kept.holdings.occupied("s"))
        with pytest.raises(RegproxyError) as caught:
            kept.subject.wait(kept.holdings.take(evolve(taking, moves=True)))
        assert Kind.DENIED is caught.value.kind
        assert kept.subject.index.node("r", "a/b") is not None
        assert not kept.subject.wait(kept.holdings.take(evolve(taking, moves=True, may_replace=True)))
        assert kept.subject.index.node("r", "a/b") is None
        assert (Occupied(0, 0), Occupied(10, 1)) == (kept.holdings.occupied("r"), kept.holdings.occupied("s"))

    def test_taking_what_has_changed(self, kept: Kept) -> None:
        """Is a conflict: it would be something that nobody has meant."""
        kept.put("a", 1)
        node = kept.subject.index.node("r", "a")
        assert node is not None
        taking = Taking(node, "s", "a", "bob", may_replace=False, moves=True, when=9.0)
        kept.put("a", 2)
        for change in (lambda: None, lambda: kept.subject.wait(kept.holdings.delete("r", "a"))):
            change()
            with pytest.raises(RegproxyError) as caught:
                kept.subject.wait(kept.holdings.take(taking))
            assert Kind.CONFLICT is caught.value.kind
        assert kept.subject.index.node("s", "a") is None

    def test_pruning(self, kept: Kept) -> None:
        """Folders in which nothing lies go, and no others."""
        for path in ("a/b/", "a/c/d/", "ab/", "e/"):
            kept.subject.wait(kept.holdings.make_folder("r", path, 3.0, "ann"))
        kept.put("a/b/file")
        assert 2 == kept.subject.wait(kept.holdings.prune("r", "a/"))
        assert ["a/", "a/b/", "ab/", "e/"] == [folder.path for folder in kept.holdings.folders("r", "")]
        assert 2 == kept.subject.wait(kept.holdings.prune("r", ""))

    def test_steps(self, kept: Kept) -> None:
        """Several changes together; what was expected is not there, or one of them is refused: nothing has changed."""
        kept.put("old/1")
        kept.put("gone")
        put = [deposit_of("a", 1, 5.0), deposit_of("b/c", 2, 5.0)]
        step = Step(put, ("old/", "gone", "none"), {"gone": sha256(1), "a": None})
        make = kept.holdings.make
        for wrong in ({"gone": sha256(2)}, {"gone": None}, {"a": sha256(1)}):
            assert not kept.subject.wait(make("r", evolve(step, expected=wrong)))
        refused = evolve(step, deposits=[*step.deposits, deposit_of("a/x", 3, 5.0)])
        with pytest.raises(RegproxyError):
            kept.subject.wait(make("r", refused))
        assert ["gone", "old/"] == kept.names("")
        assert kept.subject.wait(make("r", step))
        assert ["a", "b/"] == kept.names("")
        assert Occupied(30, 2) == kept.holdings.occupied("r")
        assert [None, None] == [kept.subject.index.node("r", path) for path in ("gone", "old/1")]

    def test_folders(self, kept: Kept) -> None:
        """Made with those above them, once; not where a file is; the top is always there."""
        make = kept.holdings.make_folder
        assert kept.subject.wait(make("r", "a/b/", 3.0, "ann"))
        assert not kept.subject.wait(make("r", "a/b/", 4.0, "bob"))
        assert ["a/", "a/b/"] == [folder.path for folder in kept.holdings.folders("r", "")]
        assert ["a/b/"] == [folder.path for folder in kept.holdings.folders("r", "a/")]
        assert Folder("", 0.0, 0.0) == kept.holdings.folder("r", "")
        kept.put("f")
        with pytest.raises(RegproxyError):
            kept.subject.wait(make("r", "f/g/", 3.0, "ann"))
        with pytest.raises(RegproxyError):
            kept.subject.wait(make("r", "f/", 3.0, "ann"))

    def test_children(self, kept: Kept) -> None:
        """Each name once, in the order of paths, whatever lies in the folders and between them."""
        for path in ("a!", "a/1", "a/2/3", "a/2/4", "a0", "b", "c/d", "a-1", "\U0010ffff/x"):
            kept.put(path)
        kept.subject.wait(kept.holdings.make_folder("r", "e/", 3.0, "ann"))
        kept.subject.wait(kept.subject.index.put(node_at("z", repository="other"), synced=True))
        every = ["a!", "a-1", "a/", "a0", "b", "c/", "e/", "\U0010ffff/"]
        assert every == kept.names("")
        assert ["1", "2/"] == kept.names("a/")
        assert [] == kept.names("e/")
        assert every[:3] == kept.names("", limit=3)
        assert every[3:] == kept.names("", after="a/")
        assert every[2:] == kept.names("", after="a-1")

    def test_folders_of_what_an_upstream_gave(self, kept: Kept) -> None:
        """They are there while something is in them."""
        kept.subject.wait(kept.subject.index.put(evolve(node_at("p/q", repository="r"), created=7.0), synced=True))
        folder = kept.holdings.folder("r", "p/")
        assert folder is not None
        assert ("p/", 7.0, "") == (folder.path, folder.created, folder.created_by)
        assert ["p/"] == kept.names("")
        assert kept.holdings.depositors("r", "p/q") is None
        kept.subject.wait(kept.holdings.delete("r", "p/q"))
        assert kept.holdings.folder("r", "p/") is None

    def test_delete(self, kept: Kept) -> None:
        """A file with what is said of it; a folder with all that is in it, and nothing beside it."""
        for path in ("a/b/1", "a/b/2", "a/b.x", "a/b0"):
            kept.put(path, properties={"k": ("v",)})
            assert kept.subject.index.node("r", path)
        delete = kept.holdings.delete
        since = kept.subject.index.node("r", "a/b0").checked  # type: ignore[union-attr] # it is there
        assert not kept.subject.wait(delete("r", "a/b0", since))
        assert kept.subject.wait(delete("r", "a/b0", since + 0.1))
        assert not kept.subject.wait(delete("r", "a/b0"))
        assert {} == kept.holdings.properties("r", "a/b0")
        assert kept.subject.wait(delete("r", "a/b/"))
        assert not kept.subject.wait(delete("r", "a/b/"))
        assert [None, None] == [kept.subject.index.node("r", path) for path in ("a/b/1", "a/b0")]
        assert ["b.x"] == kept.names("a/")
        assert Occupied(10, 1) == kept.holdings.occupied("r")
        assert kept.subject.wait(kept.subject.index.remove("r", "a/b.x"))
        assert Occupied(0, 0) == kept.holdings.occupied("r")
        assert kept.holdings.depositors("r", "a/b.x") is None

    def test_properties(self, kept: Kept) -> None:
        """Set and removed, one by one or below a folder; others stay."""
        kept.put("a/1", properties={"x": ("1",), "y": ("1",)})
        kept.put("a/2/3")
        annotate, of = kept.holdings.annotate, kept.holdings.properties
        kept.subject.wait(annotate("r", "a/", {"x": ("2", "3")}, below=True))
        assert {"x": ("2", "3"), "y": ("1",)} == of("r", "a/1")
        assert [{"x": ("2", "3")}] * 3 == [of("r", path) for path in ("a/", "a/2/", "a/2/3")]
        kept.subject.wait(annotate("r", "a/", {"top": ("1",)}, below=False))
        assert {"x": ("2", "3")} == of("r", "a/2/")
        below = {"a/1": {"x": ("2", "3"), "y": ("1",)}, "a/2/": {"x": ("2", "3")}, "a/2/3": {"x": ("2", "3")}}
        assert below == kept.holdings.properties_below("r", "a/")
        assert ({"a/2/3": {"x": ("2", "3")}}, {}) == tuple(kept.holdings.properties_below("r", at) for at in ("a/2/", "b/"))
        kept.subject.wait(annotate("r", "", {"all": ("1",)}, below=True))
        assert {"all"} <= of("r", "a/2/3").keys()
        kept.subject.wait(annotate("r", "", {"all": ()}, below=True))
        assert [{}, {"x": ("2", "3")}] == [of("r", path) for path in ("", "a/2/3")]
        kept.subject.wait(annotate("r", "a/", {"x": (), "none": ()}, below=True))
        assert [{"y": ("1",)}, {}, {"top": ("1",)}] == [of("r", path) for path in ("a/1", "a/2/3", "a/")]
        assert [("r", "a/1")] == kept.holdings.annotated({"y": ("*",)}, ["r", "s"])
        assert [] == kept.holdings.annotated({"y": ("1",), "top": ("1",)}, ["r"])
        assert [] == kept.holdings.annotated({"y": ("1",)}, ["s"])
        kept.subject.wait(kept.holdings.delete("r", "a/"))
        assert {} == of("r", "a/")

    def test_downloads(self, kept: Kept) -> None:
        """None yet, and none of what is not there."""
        kept.put("a")
        assert [Downloads(0, None)] * 2 == [kept.holdings.downloads("r", path) for path in ("a", "b")]
