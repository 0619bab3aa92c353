"""Who somebody is, by what he shows."""

from collections.abc import Callable
from typing import Any, TypeVar

import jwt
import pytest
from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from regproxy.access.attempts import FREE, FREE_BY_ADDRESS
from regproxy.access.authority import CHECKED_AT_ONCE, REMEMBERED_SECONDS, SESSION_SECONDS, Authority
from regproxy.access.credentials import Basic, Bearer, Credential, parse
from regproxy.access.passwords import hashed
from regproxy.access.principal import Principal
from regproxy.access.tokens import Claims, hash_of, new_reference, sign
from regproxy.errors import Kind, RegproxyError
from regproxy.index.memory_directory import MemoryDirectory
from regproxy.model.access import Action
from regproxy.model.principals import ANONYMOUS, Group, Target, TokenRow, User
from tests.fakes.directory import add, put, revoke

T = TypeVar("T")
PASSWORD = "correct horse"
HASH = hashed(PASSWORD)
HERE = "192.0.2.1"
READ = (Action.READ,)


@define(eq=False)
class LatePool:
    """Runs jobs when told to; counts them."""

    jobs: list[Callable[[], None]] = field(factory=list)
    run_at_once: bool = True
    count: int = 0

    def run(self, work: Callable[[], T]) -> Deferred[T]:
        """Run it now, or keep it."""
        self.count += 1
        if self.run_at_once:
            return succeed(work())
        done: Deferred[T] = Deferred()
        self.jobs.append(lambda: done.callback(work()))
        return done


@define(eq=False)
class Scene:
    """An authority with ann (who may read a/** in r), root, and a clock."""

    clock: Clock = field(factory=Clock)
    pool: LatePool = field(factory=LatePool)
    directory: MemoryDirectory = field(factory=MemoryDirectory)
    authority: Authority = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.clock.advance(1000.0)
        for entry in (
            User(name="ann", password=HASH, groups=("team", "gone")),
            User(name="root", password=HASH, admin=True),
            Group(name="team"),
            Target(name="t", repositories=("r",), includes=("a/**",), users={"ann": READ}),
            Target(name="g", repositories=("group",), groups={"team": READ, "gone": (Action.WRITE,)}),
            Target(name="o", repositories=("open",), users={ANONYMOUS: READ}),
        ):
            put(self.directory, entry)
        self.authority = Authority(self.directory, True, self.clock, self.pool)  # noqa: FBT003 - as the configuration has it

    def who(self, credential: Credential, address: str = HERE) -> Principal:
        """Identify at once; raises what it raises."""
        found = self.authority.identify(credential, address)
        if isinstance(found, Principal):
            return found
        outcome: list[Principal | Failure] = []
        found.addBoth(outcome.append)
        if isinstance(outcome[0], Failure):
            outcome[0].raiseException()
        assert isinstance(outcome[0], Principal)
        return outcome[0]

    def refused(self, credential: Credential, address: str = HERE) -> Kind:
        """Why it is nobody."""
        with pytest.raises(RegproxyError) as caught:
            self.who(credential, address)
        return caught.value.kind

    def token(self, scope: str = "applied-permissions/user", user: str = "ann", **row: Any) -> str:
        """Give out a token with the id ``1``."""
        kept = TokenRow(id="1", subject=user, scope=scope, issued=1.0, **row)
        add(self.directory, kept, self.clock.seconds())
        claims = Claims(user, scope, "1", expires=kept.expires)
        return sign(claims, self.directory.key(), self.clock.seconds())


@pytest.fixture
def scene() -> Scene:
    """One."""
    return Scene()


def test_password(scene: Scene) -> None:
    """The right one; a wrong one, a user who is not there, and one who may not log in are all the same."""
    assert scene.who(Basic("ann", PASSWORD)).name == "ann"
    put(scene.directory, User(name="off", password=HASH, enabled=False))
    put(scene.directory, User(name="tokens"))
    for user, secret in (("ann", "wrong"), ("nobody", PASSWORD), ("off", PASSWORD), ("tokens", ""), ("tokens", PASSWORD)):
        with pytest.raises(RegproxyError) as caught:
            scene.who(Basic(user, secret))
        assert (Kind.UNAUTHENTICATED, "the user or the password is wrong") == (caught.value.kind, caught.value.text)
    assert scene.pool.count == 6  # one hash for each: time tells nothing


def test_a_password_is_hashed_once(scene: Scene) -> None:
    """It is remembered for a while, shared by those who show it at the same time, and hashed again when it has changed: other
    changes, which anybody may cause who has tokens made, cost nobody a hash.
    """
    scene.pool.run_at_once = False
    found = [scene.authority.identify(Basic("ann", PASSWORD), HERE) for _ in range(3)]
    names: list[str] = []
    for each in found:
        assert isinstance(each, Deferred)
        each.addCallback(lambda principal: names.append(principal.name))
    assert len(scene.pool.jobs) == 1
    scene.pool.jobs.pop()()
    assert ["ann"] * 3 == names
    scene.pool.run_at_once = True
    scene.who(Basic("ann", PASSWORD))
    assert scene.pool.count == 1
    scene.clock.advance(REMEMBERED_SECONDS)
    scene.who(Basic("ann", PASSWORD))
    assert scene.pool.count == 2
    put(scene.directory, User(name="other"))
    put(scene.directory, User(name="ann", password=HASH, admin=True))
    assert scene.who(Basic("ann", PASSWORD)).admin
    assert scene.pool.count == 2
    put(scene.directory, User(name="ann", password=HASH, enabled=False))
    assert scene.refused(Basic("ann", PASSWORD)) is Kind.UNAUTHENTICATED
    put(scene.directory, User(name="ann", password=hashed("another")))
    assert scene.refused(Basic("ann", PASSWORD)) is Kind.UNAUTHENTICATED


def test_a_password_that_changes_meanwhile(scene: Scene) -> None:
    """Is the old one when it has been checked."""
    scene.pool.run_at_once = False
    found = scene.authority.identify(Basic("ann", PASSWORD), HERE)
    assert isinstance(found, Deferred)
    put(scene.directory, User(name="ann", password=hashed("another")))
    scene.pool.jobs.pop()()
    failed: list[Failure] = []
    found.addErrback(failed.append)
    assert failed[0].value.kind is Kind.UNAUTHENTICATED  # type: ignore[union-attr]  # what it raises


def test_guessing(scene: Scene) -> None:
    """Who was wrong too often waits, and the right password is not looked at; it is for those who are known already."""
    known = scene.who(Basic("ann", PASSWORD))
    for number in range(FREE):
        assert scene.refused(Basic("ann", f"wrong {number}")) is Kind.UNAUTHENTICATED
    assert scene.refused(Basic("ann", "other")) is Kind.UPSTREAM_BUSY
    assert scene.who(Basic("ann", PASSWORD)) is known
    put(scene.directory, User(name="other"))
    assert scene.who(Basic("ann", PASSWORD)).name == "ann"
    put(scene.directory, User(name="ann", password=hashed("another")))
    count = scene.pool.count
    assert scene.refused(Basic("ann", "another")) is Kind.UPSTREAM_BUSY
    assert scene.pool.count == count
    assert scene.who(Basic("ann", "another"), "192.0.2.9").name == "ann"


def test_the_same_again_is_no_other_guess(scene: Scene) -> None:
    """A job with yesterday's password locks nobody out, and costs one hash; the day that the password is right it is."""
    for _ in range(2 * FREE_BY_ADDRESS):
        assert scene.refused(Basic("ann", "yesterday's")) is Kind.UNAUTHENTICATED
        scene.clock.advance(20.0)
    assert scene.pool.count == 1
    assert scene.who(Basic("ann", PASSWORD)).name == "ann"
    put(scene.directory, User(name="ann", password=hashed("yesterday's")))
    assert scene.who(Basic("ann", "yesterday's")).name == "ann"


def test_tokens_do_not_wait(scene: Scene) -> None:
    """A good one is known for one, whoever guesses beside it; a bad one says no more than a password then."""
    token = scene.token()
    for number in range(FREE_BY_ADDRESS):
        scene.refused(Basic(f"user{number}", "wrong"))
    assert scene.refused(Basic("ann", PASSWORD)) is Kind.UPSTREAM_BUSY
    assert scene.refused(Bearer("rpx_made-up")) is Kind.UPSTREAM_BUSY
    assert [scene.who(each).name for each in (Bearer(token), Basic("ann", token))] == ["ann", "ann"]


def test_guesses_at_the_same_time(scene: Scene) -> None:
    """Count one by one: the right one among many is not taken behind the last free one; and there are so many at the most."""
    scene.pool.run_at_once = False
    outcomes: list[object] = []
    guesses = [f"wrong {number}" for number in range(FREE)] + [PASSWORD]
    for guess in guesses:
        found = scene.authority.identify(Basic("ann", guess), HERE)
        assert isinstance(found, Deferred)
        found.addBoth(outcomes.append)
    for job in scene.pool.jobs:
        job()
    kinds = [each.value.kind for each in outcomes if isinstance(each, Failure)]  # type: ignore[union-attr]  # as above
    assert [Kind.UNAUTHENTICATED] * FREE + [Kind.UPSTREAM_BUSY] == kinds
    for number in range(CHECKED_AT_ONCE):
        scene.authority.identify(Basic(f"user{number}", "x"), "192.0.2.7")
    assert scene.refused(Basic("bob", "x"), "192.0.2.8") is Kind.UPSTREAM_BUSY


@pytest.mark.parametrize("show", [lambda token: Bearer(token, is_foreign=True), Bearer, lambda token: Basic("ann", token)])
def test_tokens(scene: Scene, show: Callable[[str], Credential]) -> None:
    """In each place where one may stand, until it is revoked."""
    token = scene.token()
    assert scene.who(show(token)).name == "ann"
    revoke(scene.directory, "1")
    assert scene.refused(show(token)) is Kind.UNAUTHENTICATED


def test_reference_tokens(scene: Scene) -> None:
    """The short form is as good as the long one."""
    reference = new_reference()
    scene.token(reference=hash_of(reference))
    assert scene.who(Bearer(reference)).name == "ann"
    assert scene.refused(Bearer(reference + "x")) is Kind.UNAUTHENTICATED
    revoke(scene.directory, "1")
    assert scene.refused(Bearer(reference)) is Kind.UNAUTHENTICATED


def test_expiry(scene: Scene) -> None:
    """To the second, also for one that is remembered."""
    token = scene.token(expires=1010.0)
    assert scene.who(Bearer(token)).name == "ann"
    scene.clock.advance(10.0)
    assert scene.refused(Bearer(token)) is Kind.UNAUTHENTICATED


def test_forged_tokens(scene: Scene) -> None:
    """Another key, no signature, another user's, one without a row or an end."""
    scene.token()
    said = {"iss": "regproxy", "sub": "regproxy/users/root", "scp": "applied-permissions/admin", "jti": "1"}
    key = scene.directory.key()
    forged = [
        jwt.encode(said, b"x" * 32, algorithm="HS256"),
        jwt.encode(said, "", algorithm="none"),
        jwt.encode({**said, "jti": "2"}, key, algorithm="HS256"),
        jwt.encode({**said, "jti": ""}, key, algorithm="HS256"),
        jwt.encode({**said, "iss": "other"}, key, algorithm="HS256"),
        jwt.encode({**said, "aud": "x", "sub": "regproxy/users/nobody"}, key, algorithm="HS256"),
    ]
    assert [Kind.UNAUTHENTICATED] * len(forged) == [scene.refused(Bearer(token)) for token in forged]
    assert scene.refused(Basic("root", scene.token())) is Kind.UNAUTHENTICATED


def test_foreign_tokens(scene: Scene) -> None:
    """A token of another server, in Authorization, is as good as none: clients show theirs to everybody."""
    foreign = Bearer("hf_abc", is_foreign=True)
    assert scene.who(foreign) is scene.authority.anonymous()
    closed = Authority(scene.directory, False, scene.clock, scene.pool)  # noqa: FBT003 - as the configuration has it
    with pytest.raises(RegproxyError):
        closed.identify(foreign, HERE)


def test_rights(scene: Scene) -> None:
    """Each has what targets say, what his groups have, what anonymous has; groups that are not there give nothing."""
    ann, root = scene.who(Basic("ann", PASSWORD)), scene.who(Basic("root", PASSWORD))
    seen = lambda who: [  # noqa: E731 - a table
        who.may(Action.READ, "r", "local", "a/x"),
        who.may(Action.READ, "r", "local", "b/x"),
        who.may(Action.WRITE, "r", "local", "a/x"),
        who.may(Action.READ, "group", "local", "p"),
        who.may(Action.WRITE, "group", "local", "p"),
        who.may(Action.READ, "open", "local", "p"),
        who.knows("r", "local"),
        who.knows("other", "local"),
        who.is_administrator,
    ]
    assert [True, False, False, True, False, True, True, False, False] == seen(ann)
    assert [True] * 9 == seen(root)
    assert [False, False, False, False, False, True, False, False, False] == seen(scene.authority.anonymous())


def test_a_repository_that_becomes_another() -> None:
    """At a reload a remote may be a local one under the same key: rights that hold for remotes are gone."""
    target = Target(name="t", repositories=("ANY REMOTE",), users={"ann": READ})
    ann = Principal(name="ann", known_as="ann", targets=[target])
    assert [True, False] == [ann.may(Action.READ, "r", rclass, "p") for rclass in ("remote", "local")]


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("applied-permissions/user", [True, True, False, True]),
        ("applied-permissions/groups:team", [False, True, False, True]),
        ("artifact:r:*", [True, False, False, True]),
        ("artifact:r/a/y:r", [False, False, False, True]),
        ("artifact:*:w", [False, False, False, True]),
    ],
)
def test_scopes(scene: Scene, scope: str, expected: list[bool]) -> None:
    """A token may what its owner and its scope both allow; what is open to everybody is open to it."""
    who = scene.who(Bearer(scene.token(scope)))
    places = (("r", "a/x", Action.READ), ("group", "p", Action.READ), ("r", "a/x", Action.WRITE), ("open", "p", Action.READ))
    assert expected == [who.may(action, key, "local", path) for key, path, action in places]


def test_a_narrowed_administrator_is_none(scene: Scene) -> None:
    """His token may only what it says."""
    who = scene.who(Bearer(scene.token("artifact:r:r", "root")))
    assert (True, False, False) == (
        who.may(Action.READ, "r", "local", "p"),
        who.may(Action.READ, "other", "local", "p"),
        who.is_administrator,
    )


def test_sessions(scene: Scene) -> None:
    """A session is worth what it was made from, for an hour."""
    token = scene.token("artifact:r:r")
    session, seconds = scene.authority.session(scene.who(Bearer(token)))
    who = scene.who(Bearer(session))
    assert ("ann", "artifact:r:r", "1", SESSION_SECONDS) == (who.name, who.scope and who.scope.text, who.token, seconds)
    revoke(scene.directory, "1")
    assert scene.refused(Bearer(session)) is Kind.UNAUTHENTICATED
    session, _ = scene.authority.session(scene.who(Basic("ann", PASSWORD)))
    assert scene.who(Bearer(session)).name == "ann"
    put(scene.directory, User(name="ann", password=HASH, enabled=False))
    assert scene.refused(Bearer(session)) is Kind.UNAUTHENTICATED
    put(scene.directory, User(name="ann", password=hashed(PASSWORD)))
    assert scene.refused(Bearer(session)) is Kind.UNAUTHENTICATED


def test_a_session_ends_with_what_it_was_made_from(scene: Scene) -> None:
    """Be that a token, whose row may stay to be refreshed, or another session: nobody lets himself in again and again."""
    token = scene.token(expires=1010.0, refresh="00", kept=9000.0)
    session, seconds = scene.authority.session(scene.who(Bearer(token)))
    signed, _ = scene.authority.session(scene.who(Bearer(token)), "artifact:r/a/x:r", 86_400)
    assert (10, "ann") == (seconds, scene.who(Bearer(session)).name)
    scene.clock.advance(10.0)
    assert [Kind.UNAUTHENTICATED] * 2 == [scene.refused(Bearer(each)) for each in (session, signed)]
    session, _ = scene.authority.session(scene.who(Basic("ann", PASSWORD)))
    scene.clock.advance(SESSION_SECONDS - 60)
    assert scene.authority.session(scene.who(Bearer(session)))[1] == 60


def test_what_an_address_is_signed_with(scene: Scene) -> None:
    """Is a session for some paths: whoever puts any other token into an address, where logs keep it, is told that it is none."""
    reference = new_reference()
    token = scene.token(reference=hash_of(reference))
    ann, nobody = scene.who(Bearer(token)), scene.authority.anonymous()
    for who in (ann, nobody):
        signed, _ = scene.authority.session(who, "artifact:r/a/x:r")
        assert scene.authority.by_signature(signed, HERE).name == who.name
    for shown in (token, reference, scene.authority.session(ann)[0], scene.authority.session(nobody)[0], "", "rpx_x", "a.b.c"):
        with pytest.raises(RegproxyError) as caught:
            scene.authority.by_signature(shown, HERE)
        assert caught.value.kind is Kind.UNAUTHENTICATED, shown


def test_a_session_of_nobody(scene: Scene) -> None:
    """Is anonymous, and never a user of that name."""
    session, _ = scene.authority.session(scene.authority.anonymous())
    put(scene.directory, User(name=ANONYMOUS, password=HASH, admin=True))
    who = scene.who(Bearer(session))
    assert (ANONYMOUS, False, True) == (who.name, who.admin, who.may(Action.READ, "open", "local", "p"))


def test_headers() -> None:
    """What a client may write, and what is no credential."""
    assert parse(None, None) is None
    assert parse(b"Basic YW5uOnM6dA==", None) == Basic("ann", "s:t")
    assert parse(b"Bearer abc", None) == Bearer("abc", is_foreign=True)
    assert parse(b"Bearer abc", b"key") == Bearer("key")
    assert "s:t" not in repr(parse(b"Basic YW5uOnM6dA==", None))
    for wrong in (b"Basic x", b"Basic YW5u", b"Negotiate abc", b"", b"Basic " + b"A" * 10_000):
        with pytest.raises(RegproxyError):
            parse(wrong, None)
