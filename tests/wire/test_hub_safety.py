"""Local repositories of the hub: what is cut, killed, refused or too much leaves nothing half-visible, and loses nothing."""

import hashlib
import random
import signal
import socket
import threading
from urllib.parse import urlsplit

import pytest

from regproxy.access.first import OPEN
from regproxy.model.access import Action
from regproxy.model.principals import Target, TokenRow, User
from tests.fakes.deploying import Answer, ask
from tests.fakes.hub_pushing import HubClient, Start, add, add_lfs, code_of, hub, line
from tests.fakes.people import HASH, populate
from tests.wire.test_life import wait_until
from tests.wire.test_local import stored

READ_WRITE = (Action.READ, Action.WRITE)


@pytest.fixture
def client(twist_regproxy: Start) -> HubClient:
    """A client of a server with one local repository."""
    return HubClient(twist_regproxy(hub()))


def test_cut_commits(client: HubClient) -> None:
    """Wherever they are cut, the branch stays, and nothing of it is kept."""
    one = client.committed(add("a", b"1"))
    wait_until(lambda: len(stored(client.regproxy)) == 4)
    body = client.body(*(add(f"{number}", random.Random(number).randbytes(200_000)) for number in range(4)))
    address = f"{client.endpoint}/api/models/{client.repo}/commit/main"
    head = f"POST {address} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
    for attempt, at in enumerate((10, 400_000, len(body) - 1), start=1):
        with socket.create_connection(("127.0.0.1", client.regproxy.port)) as connection:
            connection.sendall(head.encode() + body[:at])
        wait_until(lambda attempt=attempt: client.regproxy.log.count(f'"path":"{address}"') > attempt)  # type: ignore[misc] # a default, not a parameter
        assert (client.head(), client.paths()) == (one, ["a"])
    with socket.create_connection(("127.0.0.1", client.regproxy.port)) as connection:
        connection.sendall(head.encode() + body)
    wait_until(lambda: client.paths() == ["0", "1", "2", "3", "a"])


@pytest.mark.parametrize("kills", [3, pytest.param(40, marks=pytest.mark.full)])
def test_killed_straight_after_commits(client: HubClient, kills: int) -> None:
    """Whatever was acknowledged is there whole, and of the commit that was under way all or nothing."""
    rng = random.Random(3)
    kept: dict[str, bytes] = {}
    for attempt in range(kills):
        large = rng.randbytes(300_000)
        client.send(large)
        files = {f"{attempt}/{number}": rng.randbytes(rng.randrange(50_000)) for number in range(6)}
        client.committed(*(add(*each) for each in files.items()), add_lfs(f"{attempt}/large", large))
        kept |= files | {f"{attempt}/large": large}
        more = {f"{attempt}/more-{number}": rng.randbytes(1000) for number in range(20)}
        running = threading.Thread(target=_try, args=(client, more))
        running.start()
        threading.Event().wait(rng.random() * 0.05)
        client.regproxy.restart(kill=True)
        running.join()
        paths = set(client.paths())
        assert paths >= kept.keys()
        assert paths - kept.keys() in (set(), set(more))
        kept |= more if set(more) <= paths else {}
    assert {path: client.resolve(path).body for path in kept} == kept


def _try(client: HubClient, files: dict[str, bytes]) -> None:
    try:
        client.commit(*(add(*each) for each in files.items()))
    except (ConnectionError, OSError):
        return


def test_rights(twist_regproxy: Start) -> None:
    """Who may read reads, who may write adds, and only who may delete replaces and deletes; the reason is told."""
    regproxy = twist_regproxy(hub())
    people = {"ann": (*READ_WRITE, Action.DELETE), "bob": READ_WRITE, "eve": (Action.READ,)}
    tokens = populate(
        regproxy,
        *(Target(name=each.name) for each in OPEN),
        Target(name="t", repositories=("hub",), includes=("models/acme/**",), users=people),
        *(User(name=name, password=HASH) for name in people),
        *(TokenRow(id=name, subject=name, scope="applied-permissions/user", issued=1.0) for name in people),
    )
    ann, bob, eve = (HubClient(regproxy, authorization=f"Bearer {token}") for token in tokens)
    ann.committed(add("a", b"1"))
    bob.committed(add("b", b"1"))
    denied = [
        eve.commit(add("c", b"")),
        eve.call("POST", "preupload/main", {"files": []}),
        eve.batch(b"x"),
        eve.ask("POST", "api/repos/create", {"name": "acme/new"}),
        eve.call("POST", "branch/x", {}),
        eve.call("GET", "auth-check/write"),
        bob.commit(add("a", b"2")),
        bob.commit(line("deletedFile", path="a")),
        bob.call("POST", "super-squash/main", {"message": ""}),
        bob.ask("DELETE", "api/repos/delete", {"name": "acme/tiny"}),
        bob.at("other/tiny").commit(add("c", b"")),
    ]
    assert [code_of(each) for each in denied] == [(403, "Forbidden")] * len(denied)
    assert {"eve may not write this in hub", "bob may not delete this in hub"} <= {each.json["error"] for each in denied}
    assert eve.resolve("a").body == b"1"
    assert code_of(eve.ask("POST", "api/repos/create", {"name": "acme/tiny"})) == (409, "Conflict")
    far = eve.at("other/tiny")
    unread = [far.call("GET", verb) for verb in ("", "revision/main", "tree/main", "auth-check")]
    unread += [far.resolve("a"), far.call("POST", "paths-info/main", {"paths": ["a"]})]
    assert [code_of(each) for each in unread] == [(403, "GatedRepo")] * len(unread)
    assert {"eve may not read this in hub"} == {each.json["error"] for each in unread}
    assert eve.ask("GET", "api/whoami-v2").json["auth"]["accessToken"]["role"] == "read"
    assert HubClient(regproxy).call("GET", "").status == 401
    assert [each["id"] for each in bob.ask("GET", "api/models").json] == ["acme/tiny"]
    assert bob.call("GET", "auth-check/write").status == 200
    assert ann.ask("DELETE", "api/repos/delete", {"name": "acme/tiny"}).status == 200
    _check_signatures(bob, eve)


def _check_signatures(bob: HubClient, eve: HubClient) -> None:
    """An address that was signed for one who may is good without credentials, for that object, and for nothing else."""
    content = b"large"
    href = bob.upload(content)["upload"]["href"]
    parts = urlsplit(href)
    other = parts.path.replace(hashlib.sha256(content).hexdigest(), hashlib.sha256(b"x").hexdigest())
    wrong = [
        ask(bob.regproxy, "PUT", f"{other}?{parts.query}", b"x"),
        ask(bob.regproxy, "GET", f"{bob.endpoint}/api/models?{parts.query}"),
        ask(bob.regproxy, "POST", f"{bob.endpoint}/api/models/acme/tiny/commit/main?{parts.query}", bob.body(add("a", b""))),
        ask(bob.regproxy, "PUT", parts.path, content),
        eve.put(f"{href}x", content),
    ]
    assert [each.status for each in wrong] == [403, 200, 403, 401, 401]
    assert wrong[1].json == []
    assert bob.put(href, content).status == 200
    bob.committed(add_lfs("large", content))
    assert eve.resolve("large").body == content


def test_patterns_and_quota(twist_regproxy: Start) -> None:
    """What a repository excludes is not committed, nor what it has no room for; nothing else of that commit is there."""
    client = HubClient(twist_regproxy(hub("hub", 'excludesPattern = "**/*.pkl"', 'maxBytes = "100000"')))
    refused = [client.commit(add("a", b"1"), add("b.pkl", b"1")), client.commit(add("a", b"1"), add("c", bytes(100_001)))]
    assert [each.status for each in refused] == [403, 413]
    assert client.call("GET", "").status == 404
    client.committed(add("a", b"1"))
    href = client.upload(bytes(100_001))["upload"]["href"]
    assert client.put(href, bytes(100_001)).status == 413
    many = client.commit(*(add(f"{number}", random.Random(number).randbytes(30_000)) for number in range(4)))
    assert many.status == 413
    assert client.paths() == ["a"]


@pytest.mark.parametrize("is_hot", [True, False], ids=["hot", "cold"])
def test_excluded_afterwards(twist_regproxy: Start, *, is_hot: bool) -> None:
    """A repository that was there before its name was excluded is closed to everybody, with the reason, and in no list."""
    client = HubClient(twist_regproxy(hub()))
    kept, content = client.at("acme/kept"), b"large"
    kept.committed(add("a", b"1"))
    client.send(content)
    commit = client.committed(add_lfs("a", content))
    assert (client.resolve("a").body, _names(client)) == (content, ["acme/kept", "acme/tiny"])
    client.regproxy.write_config(hub("hub", 'excludesPattern = "models/acme/tiny/**"'))
    if is_hot:
        client.regproxy.signal(signal.SIGHUP)
        wait_until(lambda: "the configuration was reloaded" in client.regproxy.log)
    else:
        client.regproxy.restart()
    verbs = ("", "revision/main", f"revision/{commit}", "tree/main", "refs", "commits/main", "auth-check")
    unread = [client.call("GET", verb) for verb in verbs]
    unread += [client.resolve("a"), client.resolve("a", commit), client.call("POST", "paths-info/main", {"paths": ["a"]})]
    assert [code_of(each) for each in unread] == [(403, "GatedRepo")] * len(unread)
    assert {each.json["error"] for each in unread} == {"repository hub excludes this path by its patterns"}
    written = [client.commit(add("b", b"")), client.call("POST", "branch/x", {})]
    written.append(client.ask("POST", "api/repos/create", {"name": "acme/tiny"}))
    assert [code_of(each) for each in written] == [(403, "Forbidden")] * len(written)
    assert client.ask("GET", f"api/xet/0/models/acme/tiny/reconstruction/{hashlib.sha256(content).hexdigest()}").status == 403
    assert (_names(client), kept.resolve("a").body) == (["acme/kept"], b"1")
    client.regproxy.write_config(hub("hub", "blackedOut = true"))
    client.regproxy.signal(signal.SIGHUP)
    wait_until(lambda: client.ask("GET", "api/models").status == 403)
    assert code_of(kept.call("GET", "")) == (403, "GatedRepo")


def _names(client: HubClient) -> list[str]:
    return [each["id"] for each in client.ask("GET", "api/models").json]


def test_a_full_repository_says_so_first(twist_regproxy: Start) -> None:
    """Before anything is sent; what is there already, and what was sent and waits for its commit, is not counted again."""
    client = HubClient(twist_regproxy(hub("hub", 'maxBytes = "100000"')))
    first, second = random.Random(1).randbytes(60_000), random.Random(2).randbytes(20_000)

    def ask_for(**sizes: int) -> Answer:
        files = [{"path": path, "size": size, "sample": ""} for path, size in sizes.items()]
        return client.call("POST", "preupload/main", {"files": files})

    assert code_of(ask_for(a=60_000, b=40_001)) == (413, "PayloadTooLarge")
    assert ask_for(a=100_001).json["error"] == "repository hub may hold 100000 bytes, and would hold more with this file"
    client.send(first)
    assert [ask_for(a=60_000, b=20_000).status, ask_for(a=60_000, b=40_001).status] == [200, 413]
    client.send(second)
    client.committed(add_lfs("a", first), add_lfs("b", second))
    assert [ask_for(a=60_000, b=20_000).status, ask_for(a=60_001).status] == [200, 413]


def test_restart(client: HubClient) -> None:
    """Everything is there after a restart."""
    large = random.Random(1).randbytes(1 << 20)
    client.send(large)
    commit = client.committed(add("a", b"1"), add_lfs("b", large))
    client.send(large[1:])
    client.regproxy.restart()
    assert [client.resolve(path, commit).body for path in ("a", "b")] == [b"1", large]
    client.committed(add_lfs("c", large[1:]))
    assert client.resolve("c").body == large[1:]
