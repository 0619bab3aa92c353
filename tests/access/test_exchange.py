"""Tokens of another issuer for ours: every claim is checked, and a mapping says who it is."""

import json
from typing import Any

import jwt
import pytest
from attrs import define, field
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from regproxy.access.attempts import FREE_BY_ADDRESS
from regproxy.access.exchange import LONGEST, Exchange, fits
from regproxy.access.issuing import Issuing
from regproxy.access.keys import Keys
from regproxy.errors import RegproxyError
from regproxy.index.memory_directory import MemoryDirectory
from regproxy.model.principals import Group, User
from regproxy.model.settings import IdentityMapping, Issuer
from regproxy.telemetry.events import Event, Events
from tests.fakes.directory import put

NOW = 1_700_000_000.0
KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
CI = Issuer(
    name="ci",
    issuer="https://ci.example",
    audience=("us", "also-us"),
    jwks_url="https://ci.example/keys",
    mapping=(
        IdentityMapping(claims={"ref": "refs/heads/main"}, username="deploy", scope="artifact:files:r,w", expires_in=600),
        IdentityMapping(claims={"repository": "acme/*", "protected": "true"}, username="ci", groups=("team",)),
        IdentityMapping(claims={"login": "*"}, username_claim="login"),
    ),
)
CLAIMS = {"iss": "https://ci.example", "aud": "us", "sub": "repo:acme/app", "iat": NOW - 10, "exp": NOW + 300}


def token(key: Any = KEY, kid: str = "k", algorithm: str = "ES256", **claims: Any) -> str:
    """One, with further claims; None leaves one out."""
    said = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    return jwt.encode(said, key, algorithm=algorithm, headers={"kid": kid})


@define
class Scene:
    """An exchange that knows one issuer, and three users."""

    clock: Clock = field(factory=Clock)
    directory: MemoryDirectory = field(factory=MemoryDirectory)
    exchange: Exchange = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.clock.advance(NOW)
        for entry in (
            User(name="deploy"),
            User(name="ci"),
            User(name="ann"),
            User(name="kim"),
            User(name="gone", enabled=False),
            Group(name="team"),
        ):
            put(self.directory, entry)
        known = jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
        document = json.dumps({"keys": [{**known, "kid": "k"}]}).encode()
        self.exchange = Exchange(Issuing(self.directory, self.clock), self.clock)
        self.exchange.configure([(CI, Keys(CI, lambda _: succeed(document), self.clock))])

    def trade(self, text: str, provider: str = "", address: str = "192.0.2.1") -> str:
        """Who it is and what he gets, or the kind of the refusal."""
        found: list[Any] = []
        Deferred.fromCoroutine(self.exchange.trade(text, provider, address)).addBoth(found.append)
        if isinstance(found[0], tuple):
            name, issued = found[0]
            return f"{name} {issued.scope} {issued.expires_in}"
        error = found[0].value
        assert isinstance(error, RegproxyError), error
        return error.kind.value


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"ref": "refs/heads/main", "repository": "acme/app"}, "deploy artifact:files:r,w 600"),
        ({"repository": "acme/app", "protected": True}, "ci applied-permissions/groups:team 3600"),
        ({"login": "Ann"}, "ann applied-permissions/user 3600"),
        ({"login": "gone"}, "denied"),
        ({"login": "nobody"}, "denied"),
        ({"login": "\u212aim"}, "denied"),
        ({"login": "Kim"}, "kim applied-permissions/user 3600"),
        ({"repository": "acme/app", "protected": False}, "denied"),
        ({"repository": "evil/acme/app", "protected": True}, "denied"),
        ({}, "denied"),
    ],
)
def test_who_it_is(claims: dict[str, Any], expected: str) -> None:
    """What the first mapping says that fits."""
    assert Scene().trade(token(**claims)) == expected


MAIN = {"ref": "refs/heads/main"}


@pytest.mark.parametrize(
    "text",
    [
        token(OTHER, **MAIN),
        token(kid="unknown", **MAIN),
        token(aud="somebody else", **MAIN),
        token(aud=None, **MAIN),
        token(iss="https://evil.example", **MAIN),
        token(exp=NOW - 61, **MAIN),
        token(exp=None, **MAIN),
        token(iat=NOW + 61, **MAIN),
        token(iat=None, **MAIN),
        token(nbf=NOW + 61, **MAIN),
        token(sub=None, **MAIN),
        token("0" * 32, algorithm="HS256", **MAIN),
        token(None, algorithm="none", **MAIN),
        token(**MAIN)[:-2],
        token(**MAIN, padding="x" * LONGEST),
        "",
        "a.b.c",
    ],
)
def test_what_is_refused(text: str) -> None:
    """Another signer, audience or issuer, another time, another algorithm, or no token at all."""
    assert Scene().trade(text) == "unauthenticated"


def test_times_are_compared_with_some_skew() -> None:
    """Clocks of machines differ by seconds."""
    good = token(exp=NOW - 59, **MAIN), token(iat=NOW + 59, nbf=NOW + 59, **MAIN), token(aud=["x", "also-us"], **MAIN)
    assert ["deploy artifact:files:r,w 600"] * 3 == list(map(Scene().trade, good))


def test_the_provider_may_be_named() -> None:
    """And is the one that it is then."""
    scene = Scene()
    assert scene.trade(token(**MAIN), "ci") == "deploy artifact:files:r,w 600"
    assert scene.trade(token(**MAIN), "other") == "unauthenticated"


def test_what_is_given_can_be_revoked() -> None:
    """It has a row, which says whence it came."""
    scene = Scene()
    scene.trade(token(**MAIN))
    row = scene.directory.tokens()[0]
    assert ("deploy", "ci: repo:acme/app", NOW + 600) == (row.subject, row.description, row.expires)


def test_guessing_waits() -> None:
    """By address."""
    scene = Scene()
    for _ in range(FREE_BY_ADDRESS):
        scene.trade("a.b.c")
    assert scene.trade(token(**MAIN)) == "upstream-busy"
    assert scene.trade(token(**MAIN), address="192.0.2.2").startswith("deploy")


@pytest.mark.parametrize(
    ("value", "pattern", "expected"),
    [
        ("a", "a", True),
        ("a", "A", False),
        ("ab", "a?", True),
        (["x", "a"], "a", True),
        ([], "*", False),
        (None, "*", False),
        (True, "true", True),
        (1, "true", False),
        (12, "12", True),
        ({"a": 1}, "*", False),
    ],
)
def test_fits(value: object, pattern: str, *, expected: bool) -> None:
    """A claim that is not there fits nothing."""
    assert fits(value, pattern) is expected


@pytest.mark.parametrize(("said", "told"), [("ci", "ci"), ("", ""), ("rpx_a-token-in-its-place", "")])
def test_what_is_told_of_a_refusal(said: str, told: str) -> None:
    """By which issuer it was, if there is one of that name: whatever else a client says may be a secret."""
    scene, heard = Scene(), list[Event]()
    events = Events()
    events.listen(heard.append)
    exchange = Exchange(Issuing(scene.directory, scene.clock), scene.clock, events)
    exchange.configure(scene.exchange.issuers)
    refused: list[object] = []
    Deferred.fromCoroutine(exchange.trade("no token", said, "192.0.2.1")).addErrback(refused.append)
    assert (1, [told]) == (len(refused), [event.subject for event in heard])
