"""The keys of an issuer: fetched once for all, kept, rotated, and bounded."""

import json
from typing import Any

import jwt
import pytest
from attrs import define, field
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from regproxy.access.keys import AGAIN_SECONDS, FRESH_SECONDS, KEPT_SECONDS, MOST_KEYS, Keys, read_keys
from regproxy.errors import Kind, RegproxyError
from regproxy.model.settings import Issuer

ISSUER = Issuer(name="ci", issuer="https://ci.example", audience=("us",))
WHERE = {"issuer": "https://ci.example", "jwks_uri": "https://ci.example/keys"}


def jwk(name: str, **more: Any) -> dict[str, Any]:
    """A public key as a document has it."""
    made = jwt.algorithms.ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True)
    return {**made, "kid": name, "alg": "ES256", "use": "sig", **more}


@define
class Site:
    """What the issuer answers, by URL; counts questions."""

    documents: dict[str, Any] = field(factory=dict)
    asked: list[str] = field(factory=list)
    slow: "list[Deferred[bytes]] | None" = None

    def publish(self, *names: str, **more: Any) -> None:
        """Have these keys."""
        where = {**WHERE, **more}
        self.documents = {
            "https://ci.example/.well-known/openid-configuration": where,
            where["jwks_uri"]: {"keys": [jwk(name) for name in names]},
        }

    def fetch(self, url: str) -> "Deferred[bytes]":
        """Answer."""
        self.asked.append(url)
        if self.slow is not None:
            self.slow.append(Deferred())
            return self.slow[-1]
        if url not in self.documents:
            return fail(RegproxyError(Kind.UPSTREAM_DOWN, "is down"))
        return succeed(json.dumps(self.documents[url]).encode())


@define
class Scene:
    """The keys of a site that has one."""

    clock: Clock = field(factory=Clock)
    site: Site = field(factory=Site)
    keys: Keys = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.clock.advance(1000.0)
        self.site.publish("a")
        self.keys = Keys(ISSUER, self.site.fetch, self.clock)

    def find(self, name: str) -> str:
        """The name of the key that is found, or the kind of the error."""
        found: list[Any] = []
        Deferred.fromCoroutine(self.keys.find(name)).addBoth(found.append)
        assert found, "it waits"
        if isinstance(found[0], jwt.PyJWK):
            return str(found[0].key_id)
        error = found[0].value
        assert isinstance(error, RegproxyError)
        return error.kind.value


def test_asked_once() -> None:
    """For as long as keys are fresh."""
    scene = Scene()
    assert ["a", "a"] == [scene.find("a"), scene.find("a")]
    assert len(scene.site.asked) == 2
    scene.clock.advance(FRESH_SECONDS)
    assert (scene.find("a"), len(scene.site.asked)) == ("a", 4)


def test_the_only_key_needs_no_name() -> None:
    """Of several, one does."""
    scene = Scene()
    scene.find("a")
    assert scene.find("") == "a"
    scene.site.publish("a", "b")
    scene.clock.advance(FRESH_SECONDS)
    assert scene.find("") == "unauthenticated"


def test_rotation() -> None:
    """A new key is found at once; made-up names cost one question in half a minute."""
    scene = Scene()
    assert scene.find("a") == "a"
    scene.site.publish("a", "b")
    scene.clock.advance(AGAIN_SECONDS)
    assert scene.find("b") == "b"
    before = len(scene.site.asked)
    assert {scene.find(f"made-up-{number}") for number in range(20)} == {"unauthenticated"}
    scene.clock.advance(AGAIN_SECONDS)
    assert {scene.find(f"made-up-{number}") for number in range(20)} == {"unauthenticated"}
    assert len(scene.site.asked) == before + 2


def test_all_wait_for_one_question() -> None:
    """Whatever keys they want."""
    scene = Scene()
    scene.site.slow = []
    found: list[Any] = []
    for name in ("a", "a", "b"):
        Deferred.fromCoroutine(scene.keys.find(name)).addBoth(found.append)
    assert (found, len(scene.site.asked)) == ([], 1)
    slow, scene.site.slow = scene.site.slow, None
    slow[0].callback(json.dumps(WHERE).encode())
    assert ["a", "a"] == [each.key_id for each in found[:2]]
    assert len(found) == 3


def test_an_issuer_that_is_down() -> None:
    """What was good within a day still is; before there was anything, it is an outage, and no refusal."""
    scene = Scene()
    scene.find("a")
    scene.site.documents.clear()
    scene.clock.advance(KEPT_SECONDS - 1)
    assert scene.find("a") == "a"
    scene.clock.advance(AGAIN_SECONDS)
    assert ["upstream-down"] * 2 == [scene.find("a"), scene.find("a")]
    fresh = Scene()
    fresh.site.documents.clear()
    assert ["upstream-down"] * 2 == [fresh.find("a"), fresh.find("a")]
    fresh.site.publish("a")
    fresh.clock.advance(AGAIN_SECONDS)
    assert ["a", "unauthenticated"] == [fresh.find("a"), fresh.find("b")]


@pytest.mark.parametrize("more", [{"issuer": "https://other.example"}, {"jwks_uri": "http://ci.example/keys"}])
def test_what_describes_itself_wrongly(more: dict[str, str]) -> None:
    """As another issuer, or with keys that anybody on the way could change."""
    scene = Scene()
    scene.site.publish("a", **more)
    assert scene.find("a") == "upstream-down"


def test_unusable_keys() -> None:
    """For encryption, of other algorithms, too short, or none."""
    short = rsa.generate_private_key(65537, 1024).public_key()
    keys = [
        jwk("good"),
        jwk("enc", use="enc"),
        jwk("none", alg="none"),
        {"kty": "oct", "kid": "secret", "k": "c2VjcmV0", "alg": "HS256"},
        {**jwt.algorithms.RSAAlgorithm.to_jwk(short, as_dict=True), "kid": "short"},
        {"kty": "EC", "kid": "broken", "crv": "P-256", "x": "!", "y": "!"},
        "text",
    ]
    assert ["good"] == list(read_keys(json.dumps({"keys": keys}).encode()))
    many = {"keys": [jwk(str(number)) for number in range(MOST_KEYS + 1)]}
    for document in (b"", b"[]", b'{"keys": 1}', json.dumps(many).encode(), b'{"keys":' + b"[" * 100_000):
        with pytest.raises(RegproxyError):
            read_keys(document)
