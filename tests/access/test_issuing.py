"""Tokens that are refreshed: good once, and what was used ends all that came of it."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import msgspec
import pytest
from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from regproxy.access.issuing import Issuing
from regproxy.access.making import Issued, Wish
from regproxy.access.refreshing import AGAIN_WITHIN
from regproxy.access.tokens import hash_of
from regproxy.errors import RegproxyError
from regproxy.index.interface_directory import Ledger
from regproxy.index.memory_directory import MemoryDirectory
from regproxy.model.principals import TokenRow, User
from regproxy.telemetry.events import Events
from tests.fakes.directory import add, put

DAY = 86_400

T = TypeVar("T")


def result_of(work: Coroutine[Any, Any, T]) -> T:
    """What comes of something that waits for nothing."""
    found: list[T] = []
    failed: list[BaseException] = []
    Deferred.fromCoroutine(work).addCallbacks(found.append, lambda failure: failed.append(failure.value))
    for error in failed:
        raise error
    return found[0]


@define
class Scene:
    """A directory with one user in it."""

    clock: Clock = field(factory=Clock)
    directory: MemoryDirectory = field(factory=MemoryDirectory)

    def __attrs_post_init__(self) -> None:
        put(self.directory, User(name="ann"))

    @property
    def issuing(self) -> Issuing:
        """What is tested."""
        return Issuing(self.directory, self.clock)

    def made(self) -> Issued:
        """A token that can be refreshed."""
        return result_of(self.issuing.issue(Wish(username="ann", expires_in=DAY, refreshable=True)))

    def refreshed(self, secret: str) -> Issued:
        """Another one in its place."""
        return result_of(self.issuing.refresh(secret))

    def refuses(self, secret: str) -> bool:
        """Whether nothing can be refreshed by it."""
        with pytest.raises(RegproxyError, match="is none, or was used"):
            self.refreshed(secret)
        return True

    def alive(self) -> list[str]:
        """The tokens that are worth something."""
        return [row.id for row in self.directory.tokens()]


def test_what_was_used_ends_its_family() -> None:
    """Be it shown by the thief or by the owner; tokens of others go on."""
    scene = Scene()
    other, first = scene.made(), scene.made()
    second = scene.refreshed(first.refresh_token)
    third = scene.refreshed(second.refresh_token)
    assert {other.token_id, third.token_id} == set(scene.alive())
    assert scene.refuses(first.refresh_token)
    assert [other.token_id] == scene.alive()
    assert scene.refuses(third.refresh_token)
    assert scene.refreshed(other.refresh_token).scope == other.scope


def test_an_answer_that_was_lost_is_asked_for_again() -> None:
    """For a while, however often: what the lost one had is revoked."""
    scene = Scene()
    first = scene.made()
    lost = scene.refreshed(first.refresh_token)
    scene.clock.advance(AGAIN_WITHIN - 1)
    second = scene.refreshed(first.refresh_token)
    assert [second.token_id] == scene.alive()
    scene.clock.advance(2)
    assert scene.refuses(first.refresh_token)
    assert not scene.alive()
    assert lost.token_id != second.token_id


def test_whoever_loses_a_race_is_found_out() -> None:
    """A thief that was quick enough has what he got for as long as the owner does not refresh again."""
    scene = Scene()
    first = scene.made()
    owners = scene.refreshed(first.refresh_token)
    thiefs = scene.refreshed(first.refresh_token)
    assert [thiefs.token_id] == scene.alive()
    assert scene.refuses(owners.refresh_token)
    assert not scene.alive()


def test_what_is_not_ours_ends_nothing() -> None:
    """Whoever knows no more than a token's identifier does no harm; nor does what was revoked come back."""
    scene = Scene()
    first = scene.made()
    second = scene.refreshed(first.refresh_token)
    for forged in (f"rpr_{first.token_id}_{'0' * 64}", f"rpr_{second.token_id}_x", "rpr_", "rpr_ä_ä"):
        assert scene.refuses(forged)
    assert [second.token_id] == scene.alive()
    result_of(scene.issuing.revoke(second.token_id))
    scene.clock.advance(AGAIN_WITHIN)
    assert scene.refuses(first.refresh_token)
    assert not scene.alive()


def test_what_an_older_version_made_is_refreshed() -> None:
    """Its secret was made at random, and there is nothing but its hash."""
    scene, identifier = Scene(), "0123456789abcdef0123456789abcdef"
    secret = f"rpr_{identifier}_at-random"
    row = TokenRow(id=identifier, subject="ann", scope="applied-permissions/user", issued=0.0, expires=60.0)
    add(scene.directory, msgspec.structs.replace(row, refresh=hash_of(secret), kept=600.0), 0.0)
    assert scene.refuses(f"{secret}!")
    assert scene.refreshed(secret).expires_in == 60
    assert not scene.directory.token(identifier)


@define(eq=False)
class Slow(MemoryDirectory):
    """One that answers later."""

    answers: list[Callable[[], None]] = field(factory=list)

    def change(self, work: Callable[[Ledger], T]) -> Deferred[T]:
        """Done, and told when the answer is let go."""
        done: Deferred[T] = Deferred()
        super().change(work).addCallback(lambda result: self.answers.append(lambda: done.callback(result)))
        return done

    def answer(self) -> None:
        """Let those go that there are."""
        while self.answers:
            self.answers.pop()()


def test_a_client_that_leaves_meanwhile() -> None:
    """There is a token in place of the one that was revoked, and both are told of; he asks again, and has another."""
    scene = Scene(directory=Slow())
    slow = scene.directory
    assert isinstance(slow, Slow)
    told: list[str] = []
    events = Events()
    events.listen(lambda event: told.append(event.change))
    making = Deferred.fromCoroutine(scene.issuing.issue(Wish(username="ann", expires_in=DAY, refreshable=True)))
    made: list[Issued] = []
    making.addCallback(made.append)
    slow.answer()
    first = made[0]
    leaving = Deferred.fromCoroutine(Issuing(slow, scene.clock, events).refresh(first.refresh_token))
    leaving.addErrback(lambda failure: failure.trap(CancelledError))
    leaving.cancel()
    slow.answer()
    assert ["revoked", "created"] == told
    assert [first.token_id] == [row.replaces for row in slow.tokens()]
    again = Deferred.fromCoroutine(scene.issuing.refresh(first.refresh_token))
    found: list[Issued] = []
    again.addCallback(found.append)
    slow.answer()
    assert [found[0].token_id] == [row.id for row in slow.tokens()]
