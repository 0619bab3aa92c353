"""What every index does. A test module gives the fixture ``subject`` and subclasses ``IndexContract``."""

from attrs import evolve

from regproxy.index.interface import BlobRow, Sum
from regproxy.model.digest import Digest
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.model.node import Negative, Node
from tests.index.threads import Subject


def sha256(number: int) -> str:
    """The name of some blob."""
    return f"{number:064x}"


def node_at(path: str, blob: int = 1, repository: str = "npm", when: float = 100.0) -> Node:
    """A node with every attribute set, as an index returns it."""
    head = Head(blob * 10, "text/plain", '"e"', "Mon, 01 Jan 2024 00:00:00 GMT", Headers.of(x_kept="1"), sha256(blob))
    validators = Headers((("etag", 'W/"up"'), ("last-modified", "then")))
    return Node(repository, path, sha256(blob), blob * 10, head, validators, when, when, when, "https://upstream.example/x")


class IndexContract:
    """Behaviour that callers may rely on."""

    def test_put_and_node(self, subject: Subject) -> None:
        """A node comes back as it was put, and at its own key only."""
        node = node_at("a/b")
        subject.wait(subject.index.put(node, synced=True))
        assert node == subject.index.node("npm", "a/b")
        assert subject.index.node("npm", "a") is None
        assert subject.index.node("pypi", "a/b") is None

    def test_a_bare_node(self, subject: Subject) -> None:
        """A node without any of what may be missing comes back with its blob's length and digest in its head."""
        node = Node("r", "p", sha256(2), 0, Head())
        subject.wait(subject.index.put(node, synced=False))
        assert evolve(node, head=Head(length=0, sha256=sha256(2))) == subject.index.node("r", "p")

    def test_put_replaces_but_keeps_created(self, subject: Subject) -> None:
        """A path that gets new content was still created when it was created."""
        subject.wait(subject.index.put(node_at("p", 1, when=100.0), synced=True))
        assert subject.index.node("npm", "p") is not None
        subject.wait(subject.index.put(node_at("p", 2, when=200.0), synced=True))
        assert evolve(node_at("p", 2, when=200.0), created=100.0) == subject.index.node("npm", "p")

    def test_put_drops_a_negative(self, subject: Subject) -> None:
        """What exists is not denied."""
        subject.wait(subject.index.deny(Negative("npm", "p", 404, 1e12)))
        subject.wait(subject.index.put(node_at("p"), synced=True))
        assert subject.index.negative("npm", "p") is None

    def test_refresh(self, subject: Subject) -> None:
        """What upstream has confirmed is replaced, except when it was created."""
        subject.wait(subject.index.put(node_at("p", when=100.0), synced=True))
        assert subject.index.node("npm", "p") is not None
        fresh = evolve(node_at("p", when=200.0), validators=Headers.of(etag='"new"'), origin="https://elsewhere.example/")
        subject.wait(subject.index.refresh(fresh))
        assert evolve(fresh, created=100.0) == subject.index.node("npm", "p")

    def test_refresh_of_another_blob_or_none(self, subject: Subject) -> None:
        """A confirmation that comes too late changes nothing."""
        subject.wait(subject.index.put(node_at("p", 2), synced=True))
        subject.wait(subject.index.refresh(node_at("p", 1, when=200.0)))
        subject.wait(subject.index.refresh(node_at("q", 2, when=200.0)))
        assert node_at("p", 2) == subject.index.node("npm", "p")
        assert subject.index.node("npm", "q") is None

    def test_remove(self, subject: Subject) -> None:
        """A removed node is gone, its blob's row is not; removing nothing is said."""
        subject.wait(subject.index.put(node_at("p"), synced=True))
        assert subject.index.node("npm", "p") is not None
        assert subject.wait(subject.index.remove("npm", "p"))
        assert subject.index.node("npm", "p") is None
        assert subject.index.blob(sha256(1)) is not None
        assert not subject.wait(subject.index.remove("npm", "p"))

    def test_nodes_in_pages(self, subject: Subject) -> None:
        """Listings go by code point, with prefix and page."""
        paths = ["a", "a/", "a/b", "a/b/c", "a/é", "a/\U0010ffff", "a0", "b", "B"]
        for path in paths:
            subject.wait(subject.index.put(node_at(path), synced=True))
        subject.wait(subject.index.put(node_at("a/x", repository="other"), synced=True))

        def listed(prefix: str = "", after: str = "", limit: int = 1000) -> list[str]:
            return [node.path for node in subject.index.nodes("npm", prefix, after, limit)]

        assert sorted(paths) == listed()
        assert listed("a/") == ["a/", "a/b", "a/b/c", "a/é", "a/\U0010ffff"]
        assert listed("a/", "a/b") == ["a/b/c", "a/é", "a/\U0010ffff"]
        assert listed("a/", "A") == ["a/", "a/b", "a/b/c", "a/é", "a/\U0010ffff"]
        assert listed("a/", limit=2) == ["a/", "a/b"]
        assert listed("a/", "a0") == []
        assert listed("a/\U0010ffff") == ["a/\U0010ffff"]

    def test_blob_rows(self, subject: Subject) -> None:
        """A blob's row says what the last put said, and when it was last used."""
        subject.wait(subject.index.put(node_at("p", 3, when=5.0), synced=True))
        assert BlobRow(sha256(3), 30, synced=True, last_used=5.0) == subject.index.blob(sha256(3))
        subject.wait(subject.index.put(node_at("q", 3, when=4.0), synced=False))
        assert BlobRow(sha256(3), 30, synced=False, last_used=5.0) == subject.index.blob(sha256(3))
        assert subject.index.blob(sha256(4)) is None

    def test_used(self, subject: Subject) -> None:
        """A download is known a few seconds later, and time never goes back."""
        subject.wait(subject.index.put(node_at("p", 1, when=5.0), synced=True))
        subject.index.used("npm", "p", sha256(1), 50.0)
        subject.index.used("npm", "p", sha256(1), 40.0)
        subject.index.used("npm", "gone", sha256(9), 60.0)
        subject.catch_up()
        assert BlobRow(sha256(1), 10, synced=True, last_used=50.0) == subject.index.blob(sha256(1))
        assert subject.index.blob(sha256(9)) is None

    def test_synced(self, subject: Subject) -> None:
        """Blobs that may not be durable are known until they are."""
        for number in (2, 1, 3):
            subject.wait(subject.index.put(node_at(f"p{number}", number), synced=number == 3))
        assert [sha256(1), sha256(2)] == list(subject.index.unsynced())
        subject.wait(subject.index.synced(sha256(1)))
        subject.wait(subject.index.synced(sha256(7)))
        assert [sha256(2)] == list(subject.index.unsynced())

    def test_aliases(self, subject: Subject) -> None:
        """A blob is found by every digest that it is known to have."""
        sha1, md5 = Digest("sha1", "1" * 40), Digest("md5", "2" * 32)
        subject.wait(subject.index.put(node_at("p", 1), synced=True, digests=[sha1, md5, Digest("sha256", sha256(1))]))
        assert sha256(1) == subject.index.blob_of(sha1)
        assert sha256(1) == subject.index.blob_of(Digest("sha256", sha256(1)))
        assert subject.index.blob_of(Digest("sha256", sha256(2))) is None
        assert subject.index.blob_of(Digest("sha1", "2" * 40)) is None
        subject.wait(subject.index.put(node_at("q", 2), synced=True, digests=[md5]))
        assert sha256(2) == subject.index.blob_of(md5)

    def test_negatives(self, subject: Subject) -> None:
        """A negative answer is kept for its path, the last one holds, and a node that is there stays."""
        subject.wait(subject.index.put(node_at("p"), synced=True))
        subject.wait(subject.index.deny(Negative("npm", "p", 404, 1e12)))
        last = Negative("npm", "p", 410, 2e12, Headers.of(x_error_code="Gone"))
        subject.wait(subject.index.deny(last))
        assert last == subject.index.negative("npm", "p")
        assert subject.index.negative("npm", "q") is None
        assert node_at("p") == subject.index.node("npm", "p")

    def test_unreferenced_and_forget(self, subject: Subject) -> None:
        """Only blobs without a node are offered, the oldest first, and only they can be forgotten, aliases included."""
        alias = Digest("sha1", "1" * 40)
        for number, when in ((1, 30.0), (2, 10.0), (3, 20.0), (4, 20.0)):
            subject.wait(subject.index.put(node_at(f"p{number}", number, when=when), synced=True, digests=[alias]))
        assert list(subject.index.unreferenced()) == []
        for number in (1, 3, 4):
            subject.wait(subject.index.remove("npm", f"p{number}"))
        assert [sha256(3), sha256(4), sha256(1)] == [row.sha256 for row in subject.index.unreferenced()]
        assert [sha256(3)] == [row.sha256 for row in subject.index.unreferenced(1)]
        assert not subject.wait(subject.index.forget(sha256(2)))
        assert sha256(4) == subject.index.blob_of(alias)
        assert subject.wait(subject.index.forget(sha256(4)))
        assert subject.index.blob_of(alias) is None
        assert [sha256(1), sha256(2), sha256(3)] == sorted(row.sha256 for row in subject.index.each_blob())

    def test_forget_of_what_is_unknown(self, subject: Subject) -> None:
        """A blob without a row is forgotten already, so its file may go."""
        assert subject.wait(subject.index.forget(sha256(1)))

    def test_a_blob_of_two_nodes(self, subject: Subject) -> None:
        """A blob is needed until its last node has gone, in whatever repository."""
        subject.wait(subject.index.put(node_at("p", 1), synced=True))
        subject.wait(subject.index.put(node_at("p", 1, "pypi"), synced=True))
        subject.wait(subject.index.remove("npm", "p"))
        assert not subject.wait(subject.index.forget(sha256(1)))
        subject.wait(subject.index.remove("pypi", "p"))
        assert subject.wait(subject.index.forget(sha256(1)))

    def test_replaced_content_is_unreferenced(self, subject: Subject) -> None:
        """The blob that a node had before may go."""
        subject.wait(subject.index.put(node_at("p", 1), synced=True))
        subject.wait(subject.index.put(node_at("p", 2), synced=True))
        assert [sha256(1)] == [row.sha256 for row in subject.index.unreferenced()]

    def test_distrust(self, subject: Subject) -> None:
        """A path is distrusted until its time, the last one holds, and what is over is dropped."""
        assert subject.index.distrusted("npm", "p") == 0
        subject.wait(subject.index.distrust("npm", "p", 100.0, 700.0))
        subject.wait(subject.index.distrust("npm", "q", 200.0, 800.0))
        subject.wait(subject.index.distrust("npm", "p", 300.0, 900.0))
        assert (subject.index.distrusted("npm", "p"), subject.index.distrusted("npm", "q")) == (900, 800)
        assert subject.index.distrusted("pypi", "p") == 0
        subject.wait(subject.index.distrust("npm", "r", 850.0, 1450.0))
        assert (subject.index.distrusted("npm", "p"), subject.index.distrusted("npm", "q")) == (900, 0)

    def test_words(self, subject: Subject) -> None:
        """A word is kept until another is remembered under its name."""
        assert subject.index.word("auto.pypi") is None
        subject.wait(subject.index.remember("auto.pypi", "https://a.example/"))
        subject.wait(subject.index.remember("auto.pypi", "https://b.example/"))
        assert subject.index.word("auto.pypi") == "https://b.example/"

    def test_changes_keep_their_order(self, subject: Subject) -> None:
        """Changes that nobody waited for are applied as they were asked for."""
        results = [subject.index.put(node_at("p", number), synced=True) for number in range(1, 20)]
        removed = subject.index.remove("npm", "p")
        last = subject.index.put(node_at("p", 20), synced=True)
        for result in results:
            subject.wait(result)
        assert subject.wait(removed)
        subject.wait(last)
        assert node_at("p", 20) == subject.index.node("npm", "p")

    def test_odd_texts(self, subject: Subject) -> None:
        """Paths are text, whatever is in them."""
        for path in ("", "'; DROP TABLE nodes; --", "nul\0inside", "%_*", "\u2028 \U0001f600", "x" * 5000):
            subject.wait(subject.index.put(node_at(path), synced=True))
            assert node_at(path) == subject.index.node("npm", path)

    def test_clean(self, subject: Subject) -> None:
        """The first run of an index has nothing to repair."""
        assert subject.index.was_clean

    def test_sums(self, subject: Subject) -> None:
        """A blob counts once in the store and once in each repository that names it, however often that is."""
        index = subject.index
        assert Sum() == index.held() == index.held("npm")
        for node in (node_at("p", 1), node_at("q", 1), node_at("p", 1, "pypi"), node_at("r", 2)):
            subject.wait(index.put(node, synced=True))
        assert [Sum(2, 30), Sum(2, 30), Sum(1, 10)] == [index.held(), index.held("npm"), index.held("pypi")]
        subject.wait(index.remove("npm", "p"))
        assert Sum(2, 30) == index.held("npm")
        subject.wait(index.put(node_at("q", 3), synced=True))
        assert [Sum(3, 60), Sum(2, 50)] == [index.held(), index.held("npm")]
        subject.wait(index.remove("pypi", "p"))
        subject.wait(index.forget(sha256(1)))
        assert [Sum(2, 50), Sum()] == [index.held(), index.held("pypi")]

    def test_the_least_used_goes_first(self, subject: Subject) -> None:
        """By last use, not by age; a pin, a node that came from nowhere, and a repository that is kept hold a blob."""
        index = subject.index
        for number, when in ((1, 30.0), (2, 10.0), (3, 20.0), (4, 5.0), (5, 6.0), (6, 7.0)):
            subject.wait(index.put(node_at(f"p{number}", number, when=when), synced=True))
        index.used("npm", "p2", sha256(2), 40.0)
        subject.catch_up()
        subject.wait(index.put(evolve(node_at("own", 5, when=6.0), origin=""), synced=True))
        subject.wait(index.put(node_at("p6", 6, "kept", when=7.0), synced=True))
        assert subject.wait(index.pin("npm", "p4", pinned=True)) == 1

        def offered(*kept: str) -> list[str]:
            return [row.sha256 for row in index.least_used(kept)]

        assert [sha256(6), sha256(3), sha256(1), sha256(2)] == offered()
        assert [sha256(3), sha256(1), sha256(2)] == offered("kept")
        assert ["p5", "p6", "p3", "p1", "p2"] == [use.path for use in index.least_used_in("npm", 1e12)]
        assert ["p5", "p6"] == [use.path for use in index.least_used_in("npm", 20.0)]
        assert ["p5"] == [use.path for use in index.least_used_in("npm", 20.0, 1)]

    def test_evict(self, subject: Subject) -> None:
        """All nodes of a blob go with it, unless it was used meanwhile, or may not go."""
        index = subject.index
        for node in (node_at("p", 1), node_at("q", 1, "pypi"), node_at("r", 2)):
            subject.wait(index.put(node, synced=True))
        seen, other = index.least_used(())
        assert index.node("npm", "p") is not None
        index.used("npm", "r", sha256(2), 500.0)
        subject.catch_up()
        assert not subject.wait(index.evict(other, ()))
        assert not subject.wait(index.evict(seen, ("pypi",)))
        subject.wait(index.pin("pypi", "", pinned=True))
        assert not subject.wait(index.evict(seen, ()))
        subject.wait(index.pin("pypi", "q", pinned=False))
        assert subject.wait(index.evict(seen, ()))
        assert [None, None, None] == [index.node("npm", "p"), index.node("pypi", "q"), index.blob(sha256(1))]
        assert not subject.wait(index.evict(seen, ()))
        assert index.node("npm", "r") is not None

    def test_release(self, subject: Subject) -> None:
        """One node goes if it is as it was seen; its blob's row stays."""
        index = subject.index
        for path in ("p", "q", "r", "s"):
            subject.wait(index.put(node_at(path, 1), synced=True))
        uses = {use.path: use for use in index.least_used_in("npm", 1e12)}
        subject.wait(index.put(node_at("p", 2), synced=True))
        index.used("npm", "q", sha256(1), 500.0)
        subject.catch_up()
        subject.wait(index.pin("npm", "r", pinned=True))
        assert [False, False, False, True] == [subject.wait(index.release(uses[path])) for path in "pqrs"]
        assert index.node("npm", "s") is None
        assert index.blob(sha256(1)) is not None

    def test_pins(self, subject: Subject) -> None:
        """A pin is one node's, or all's below a folder; a replaced node keeps it, a removed one does not."""
        index = subject.index
        for path in ("a/x", "a/y", "ab", "b_%"):
            subject.wait(index.put(node_at(path), synced=True))
        assert subject.wait(index.pin("npm", "a", pinned=True)) == 0
        assert subject.wait(index.pin("npm", "a/", pinned=True)) == 2
        assert subject.wait(index.pin("npm", "b_%", pinned=True)) == 1
        subject.wait(index.put(node_at("a/x", 2), synced=True))
        assert ["a/x", "a/y", "b_%"] == list(index.pins("npm"))
        assert ["a/x", "a/y"] == list(index.pins("npm", "a/"))
        subject.wait(index.remove("npm", "a/y"))
        subject.wait(index.put(node_at("a/y"), synced=True))
        assert ["a/x"] == list(index.pins("npm", "a/"))
        assert subject.wait(index.pin("npm", "", pinned=False)) == 4
        assert [] == list(index.pins("npm"))
