"""What every ``Directory`` does. A test module gives the fixture ``known`` and subclasses ``DirectoryContract``."""

from collections.abc import Callable
from typing import Any

import pytest
from attrs import frozen
from twisted.internet.defer import Deferred

from regproxy.index.interface_directory import Directory, Ledger
from regproxy.model.access import Action
from regproxy.model.principals import Group, Target, TokenRow, User
from tests.fakes.directory import add, put, remove, revoke

READ = (Action.READ,)


@frozen
class Known:
    """A directory, and how to wait for its changes."""

    directory: Directory
    wait: Callable[[Deferred[Any]], Any]

    def put(self, *entries: Any) -> None:
        """Keep some."""
        for entry in entries:
            self.wait(put(self.directory, entry))


class DirectoryContract:
    """Behaviour that callers may rely on."""

    def test_entries(self, known: Known) -> None:
        """What was put is found by kind and name, in their order, as it was."""
        ann = User(name="ann", password="h", email="a@example.org", admin=True, enabled=False, groups=("g", "h"))
        target = Target(
            name="t", repositories=("r",), includes=("a/**",), excludes=("b",), users={"ann": READ}, groups={"g": READ}
        )
        known.put(User(name="bob"), ann, Group(name="ann", auto_join=True), target)
        directory = known.directory
        assert [ann, User(name="bob")] == list(directory.every(User))
        assert (ann, target, None) == (directory.get(User, "ann"), directory.get(Target, "t"), directory.get(Group, "bob"))
        assert [Group(name="ann", auto_join=True)] == list(directory.every(Group))

    def test_put_says_whether_it_is_new(self, known: Known) -> None:
        """And keeps what is there if it is told to."""
        directory = known.directory
        assert known.wait(put(directory, User(name="ann", email="1")))
        assert not known.wait(put(directory, User(name="ann", email="2")))
        assert not known.wait(put(directory, User(name="ann", email="3"), replace=False))
        assert known.directory.get(User, "ann") == User(name="ann", email="2")

    def test_who_has_gone_is_mentioned_nowhere(self, known: Known) -> None:
        """Who comes later under the same name has neither his rights, nor his tokens, nor a group's members."""
        known.put(User(name="ann", groups=("g", "k")), Group(name="g"))
        known.put(Target(name="t", users={"ann": READ, "bob": READ}, groups={"g": READ}), Target(name="u", users={"g": READ}))
        known.wait(add(known.directory, TokenRow(id="1", subject="ann", scope="", issued=1.0), 1.0))
        known.wait(add(known.directory, TokenRow(id="2", subject="bob", scope="", issued=1.0), 1.0))
        assert known.wait(remove(known.directory, Group, "g"))
        assert not known.wait(remove(known.directory, Group, "g"))
        assert known.directory.get(User, "ann") == User(name="ann", groups=("k",))
        assert known.directory.get(Target, "t") == Target(name="t", users={"ann": READ, "bob": READ})
        assert known.directory.get(Target, "u") == Target(name="u", users={"g": READ})
        assert known.wait(remove(known.directory, User, "ann"))
        assert known.directory.get(Target, "t") == Target(name="t", users={"bob": READ})
        assert ["2"] == [token.id for token in known.directory.tokens()]

    def test_tokens(self, known: Known) -> None:
        """By id and by short form, oldest first; one that was revoked is nowhere."""
        assert not known.directory.has_tokens()
        old = TokenRow(id="b", subject="ann", scope="s", issued=1.0, reference="ff", description="of ann")
        new = TokenRow(id="a", subject="ann", scope="s", issued=2.0)
        for token in (new, old):
            known.wait(add(known.directory, token, 1.0))
        directory = known.directory
        assert ([old, new], True) == (list(directory.tokens()), directory.has_tokens())
        assert ([new], []) == (list(directory.tokens("a")), list(directory.tokens("ab")))
        assert (old, new, None) == (directory.token("b"), directory.token("a"), directory.token("c"))
        assert (old, None, None) == tuple(map(directory.token_of, ("ff", "fe", "")))
        assert known.wait(revoke(directory, "b"))
        assert not known.wait(revoke(directory, "b"))
        assert (None, None) == (directory.token("b"), directory.token_of("ff"))

    def test_expired_tokens_are_dropped(self, known: Known) -> None:
        """When the next one is made."""
        known.wait(add(known.directory, TokenRow(id="a", subject="ann", scope="s", issued=1.0, expires=5.0), 1.0))
        known.wait(add(known.directory, TokenRow(id="b", subject="ann", scope="s", issued=5.0), 5.0))
        assert ["b"] == [token.id for token in known.directory.tokens()]

    def test_a_change_is_whole(self, known: Known) -> None:
        """It sees what it has written itself; what it raises comes out, and nothing of it is left."""
        known.put(User(name="ann"), User(name="bob", groups=("g",)), Group(name="g"))
        known.wait(add(known.directory, TokenRow(id="a", subject="ann", scope="s", issued=1.0, reference="ff"), 1.0))

        def work(ledger: Ledger) -> None:
            ledger.add(TokenRow(id="b", subject="bob", scope="s", issued=1.0), 1.0)
            assert ledger.remove(User, "ann")
            assert ledger.remove(Group, "g")
            assert (None, None, User(name="bob")) == (ledger.token("a"), ledger.token_of("ff"), ledger.get(User, "bob"))
            assert (["bob"], ["b"]) == ([each.name for each in ledger.every(User)], [each.id for each in ledger.tokens("b")])
            raise LookupError(ledger.put(User(name="cid")))

        with pytest.raises(LookupError, match="True"):
            known.wait(known.directory.change(work))
        directory = known.directory
        assert ["ann", "bob"] == [each.name for each in directory.every(User)]
        assert (("g",), ["a"]) == (directory.every(User)[1].groups, [each.id for each in directory.tokens()])

    def test_each_change_sees_those_before(self, known: Known) -> None:
        """Though they were begun together."""
        known.put(User(name="ann"))

        def join(group: str) -> Deferred[bool]:
            return known.directory.change(
                lambda ledger: ledger.put(User(name="ann", groups=(*ledger.every(User)[0].groups, group)))
            )

        for change in [join("g"), join("h")]:
            known.wait(change)
        assert known.directory.get(User, "ann") == User(name="ann", groups=("g", "h"))

    def test_the_stamp_says_that_something_has_changed(self, known: Known) -> None:
        """After each kind of change, and at no other time: not after one that has found nothing to write."""
        directory = known.directory
        stamps = [directory.stamp(), directory.stamp()]
        changes: list[Callable[[], Deferred[Any]]] = [
            lambda: put(directory, User(name="ann")),
            lambda: add(directory, TokenRow(id="a", subject="ann", scope="s", issued=1.0), 1.0),
            lambda: revoke(directory, "a"),
            lambda: remove(directory, User, "ann"),
        ]
        for change in changes:
            known.wait(change())
            stamps += [directory.stamp(), directory.stamp()]
            known.wait(directory.change(lambda ledger: ledger.revoke("none") or ledger.remove(Group, "none")))
            stamps[-1] = directory.stamp()
        assert stamps[::2] == stamps[1::2]
        assert len(set(stamps)) == 5

    def test_the_key_stays(self, known: Known) -> None:
        """32 bytes, not all the same."""
        key = known.directory.key()
        known.put(User(name="ann"))
        assert (32, key) == (len(key), known.directory.key())
        assert len(set(key)) > 4
