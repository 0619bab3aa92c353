"""Credential helpers: real programs, asked once for everybody, again when it is time, and never for ever."""

import errno
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.process import reapAllProcesses
from twisted.internet.task import LoopingCall
from twisted.logger import ILogObserver, globalLogPublisher

from regproxy.errors import Kind, RegproxyError
from regproxy.upstream import keyring
from regproxy.upstream.keyring import Keyring, Login, read_login, without_secrets

GOOD = '{"ServerURL": "x", "Username": "robot", "Secret": "s3cret"}'


@pytest.fixture(autouse=True)
def reaping() -> Iterator[None]:
    """The reactor of the tests has no handler for the end of its children."""
    looking = LoopingCall(reapAllProcesses)
    looking.start(0.02)
    yield
    looking.stop()


def program(folder: Path, body: str) -> Path:
    """A shell script that notes each of its runs."""
    path = folder / "docker-credential-test"
    path.write_text(f'#!/bin/sh\necho "$1" >> {folder}/runs\nread server\necho "$server" >> {folder}/servers\n{body}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def keyring_of(folder: Path, body: str) -> Keyring:
    """One that runs it."""
    return Keyring(reactor, (str(program(folder, body)),), "registry.example:5000", "hub")


def runs(folder: Path) -> int:
    """How often it ran."""
    path = folder / "runs"
    return len(path.read_text().splitlines()) if path.exists() else 0


async def refused(asked: Any) -> RegproxyError:
    """Why it gave nothing."""
    with pytest.raises(RegproxyError) as caught:
        await asked
    return caught.value


@pytest_twisted.ensureDeferred
async def test_asked_once_for_everybody(tmp_path: Path) -> None:
    """By ``get`` and the server's name; what it said is used by all who come."""
    found = keyring_of(tmp_path, f"sleep 0.1\ncat <<'E'\n{GOOD}\nE")
    logins = await gatherResults([Deferred.fromCoroutine(found.login()) for _ in range(5)])
    assert {(each.username, each.secret) for each in logins} == {("robot", "s3cret")}
    assert await found.login() is logins[0]
    assert ((tmp_path / "runs").read_text(), (tmp_path / "servers").read_text()) == ("get\n", "registry.example:5000\n")


@pytest_twisted.ensureDeferred
async def test_one_who_gives_up_stops_nobody(tmp_path: Path) -> None:
    """The others get what they wait for."""
    found = keyring_of(tmp_path, f"sleep 0.1\ncat <<'E'\n{GOOD}\nE")
    first, second = (Deferred.fromCoroutine(found.login()) for _ in range(2))
    first.addErrback(lambda _: None)
    first.cancel()
    assert (await second).secret == "s3cret"
    assert runs(tmp_path) == 1


@pytest_twisted.ensureDeferred
async def test_before_its_time_is_over(tmp_path: Path) -> None:
    """It is asked again; a secret without a time is good for an hour."""
    found = keyring_of(
        tmp_path,
        'echo "{\\"Username\\": \\"u\\", \\"Secret\\": \\"$(wc -l < ' + str(tmp_path) + '/runs)\\", \\"ExpiresIn\\": 0.05}"',
    )
    first = await found.login()
    waiting: Deferred[None] = Deferred()
    reactor.callLater(0.1, waiting.callback, None)
    await waiting
    second = await found.login()
    assert (first.secret.strip(), second.secret.strip()) == ("1", "2")


@pytest_twisted.ensureDeferred
async def test_what_is_refused(tmp_path: Path) -> None:
    """Is asked for anew, once in a while; the same again is nothing else, and a failure neither."""
    secret = tmp_path / "secret"
    secret.write_text("old")
    found = keyring_of(tmp_path, f'printf \'{{"Username": "u", "Secret": "%s"}}\' "$(cat {secret})"')
    old = await found.login()
    secret.write_text("new")
    new = await found.in_place_of(old)
    assert new is not None
    assert (new.secret, runs(tmp_path)) == ("new", 2)
    assert await found.in_place_of(old) is new
    assert await found.in_place_of(new) is None
    assert (await found.login(), runs(tmp_path)) == (new, 2)
    found._rests_until = 0.0
    assert await found.in_place_of(new) is None
    assert runs(tmp_path) == 3


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (
            "echo no such login; echo 'not here, password=hunter2abc' >&2; exit 1",
            "it ended with status 1: not here, password=***",
        ),
        ("echo nothing", "it printed no {"),
        ('echo \'{"Username": "u"}\'', "it printed no {"),
        ("echo '[]'", "it printed no {"),
        ('echo \'{"Username": "u", "Secret": "a\\\\u0001b"}\'', "cannot be one"),
        ('echo \'{"Username": "u", "Secret": "s", "ExpiresAt": "2020-01-01T00:00:00Z"}\'', "has expired"),
        ("kill -9 $$", "it was killed"),
        ("head -c 100000 /dev/zero; sleep 30", "it printed too much"),
        ("sleep 30 &\nexit 3", "it ended with status 3"),
        ("sleep 30", "it took longer"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_one_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, why: str) -> None:
    """Says so in the log, not what it printed; clients hear that there is none, and it is left alone for a while."""
    monkeypatch.setattr(keyring, "SECONDS", 1.0)
    monkeypatch.setattr(keyring, "GRACE", 0.1)
    found = keyring_of(tmp_path, body)
    events: list[Any] = []
    globalLogPublisher.addObserver(cast(ILogObserver, events.append))
    try:
        errors = [await refused(found.login()) for _ in range(2)]
    finally:
        globalLogPublisher.removeObserver(cast(ILogObserver, events.append))
    assert {(error.kind, error.text) for error in errors} == {(Kind.UPSTREAM_BAD, "the credential helper of hub gave none")}
    assert why in errors[0].detail
    assert runs(tmp_path) == 1
    assert "no such login" not in str(events)


@pytest_twisted.ensureDeferred
async def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    """Any more, when it is asked."""
    found = Keyring(reactor, (str(tmp_path / "none"),), "x", "hub")
    assert (await refused(found.login())).detail == "it cannot be run"


@pytest_twisted.ensureDeferred
async def test_no_process_to_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That passes: it is asked again after a while."""
    found = keyring_of(tmp_path, f"echo '{GOOD}'")

    def used_up(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "used up")

    with monkeypatch.context() as patch:
        patch.setattr(reactor, "spawnProcess", used_up)
        assert "cannot be run now" in (await refused(found.login())).detail
    found._fails_until = 0.0
    assert (await found.login()).secret == "s3cret"


@pytest.mark.parametrize("more", ['"ExpiresIn": 1' + "0" * 400, '"ExpiresIn": NaN', '"ExpiresIn": 0'])
def test_what_is_no_time(more: str) -> None:
    """Is refused like other nonsense."""
    with pytest.raises(ValueError, match=r"it printed no|expired"):
        read_login(GOOD[:-1].encode() + f", {more}}}".encode(), 1000.0, 5.0)


@pytest.mark.parametrize(
    ("more", "lasts"),
    [({}, 3060.0), ({"ExpiresIn": 100}, 85.0), ({"ExpiresAt": "1970-01-01T00:20:00+00:00"}, 170.0), ({"ExpiresAt": ""}, 3060.0)],
)
def test_how_long_it_is_good(more: dict[str, object], lasts: float) -> None:
    """As it says, less a part for safety; 1000 is the time of day, and 5 what the reactor's clock says."""
    printed = json.dumps({"Username": "<token>", "Secret": "s", **more}).encode()
    login = read_login(printed, 1000.0, 5.0)
    assert (login.until, login.is_token) == (5.0 + lasts, True)
    assert "'s'" not in repr(Login("u", "s"))


def test_what_it_says_in_the_log() -> None:
    """One line without what may be a secret."""
    said = "asking\x1b[31m for abc\nAuthorization: Bearer eyJhbGciOi token=xyz, tail " + "A1b2" * 10 + " at https://example.org/a"
    shown = without_secrets(said, ["abc"])
    assert shown.startswith("asking [31m for *** Authorization: ***")
    assert shown.endswith("tail *** at https://example.org/a")
    assert not [each for each in ("abc", "eyJ", "xyz", "A1b2") if each in shown]
