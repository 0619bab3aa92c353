"""Uploads by Xet into a real process: xorbs and shards, what they make, and what is no good."""

import hashlib
import json
import random
import re
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from attrs import frozen

from regproxy.access.first import OPEN
from regproxy.model.access import Action
from regproxy.model.principals import Target, TokenRow, User
from tests.cli.test_cache import run
from tests.fakes.deploying import Answer, ask
from tests.fakes.hub_pushing import HubClient, add_lfs, code_of, hub
from tests.fakes.people import HASH, populate
from tests.fakes.process import Regproxy
from tests.fakes.xet_content import Made, Run, content_of, make_shard, make_xorb, unframed
from tests.wire.test_life import wait_until
from tests.wire.test_local import stored


@frozen
class XetClient:
    """A client with a token."""

    hub: HubClient
    path: str
    token: str

    @classmethod
    def of(cls, hub: HubClient) -> "XetClient":
        """Ask for a token; both ways of saying it say the same."""
        answer = hub.call("GET", "xet-write-token/main")
        assert answer.status == 200, answer.body
        said, names = answer.json, ("x-xet-cas-url", "x-xet-access-token", "x-xet-token-expiration")
        assert [said["casUrl"], said["accessToken"], str(said["exp"])] == [answer.headers[name] for name in names]
        assert said["exp"] > time.time() + 300
        return cls(hub, urlsplit(said["casUrl"]).path, said["accessToken"])

    def ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        """Ask below the store."""
        return ask(self.hub.regproxy, method, f"{self.path}/{path}", body, authorization=f"Bearer {self.token}")

    def get(self, path: str, **headers: str) -> Answer:
        """Ask below the store, with further headers."""
        return ask(self.hub.regproxy, "GET", f"{self.path}/{path}", authorization=f"Bearer {self.token}", **headers)

    def send(self, xorb: Made, name: str = "", body: bytes | None = None) -> Answer:
        """Send a xorb."""
        return self.ask("POST", f"v1/xorbs/default/{name or xorb.name}", xorb.body if body is None else body)

    def shard(self, shard: bytes, path: str = "v1/shards") -> Answer:
        """Send a shard."""
        return self.ask("POST", path, shard)


@pytest.fixture(scope="module")
def regproxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Regproxy]:
    """One server for all of these; each test has a repository of its own."""
    folder: Path = tmp_path_factory.mktemp("xet")
    running = Regproxy(folder / "regproxy", hub("hub", 'xetFrom = "4MB"') + hub("small", 'maxBytes = "100000"'))
    running.start()
    yield running
    running.close()


@pytest.fixture
def client(regproxy: Regproxy, request: pytest.FixtureRequest) -> XetClient:
    """A client with a name that no other test has."""
    return XetClient.of(HubClient(regproxy, f"acme/{re.sub('[^a-z0-9]+', '-', request.node.name)[:60]}x"))


@pytest.fixture
def xorbs(client: XetClient) -> tuple[Made, Made]:
    """Two, in all ways of compression; no other test has their bytes."""
    rng = random.Random(client.hub.repo)
    chunks = [(rng.randbytes(rng.randrange(1, 100)) * 1400)[: rng.randrange(8 << 10, 128 << 10)] for _ in range(40)]
    return make_xorb(chunks[:25], (0, 1, 2)), make_xorb(chunks[25:], (2, 1))


@pytest.mark.parametrize("path", ["shards", "v1/shards", "v2/shards"])
def test_there_and_back(client: XetClient, xorbs: tuple[Made, Made], path: str) -> None:
    """Files out of parts of two xorbs, by every address of a shard; a second time nothing is made again."""
    one, two = xorbs
    assert [client.send(each).json["was_inserted"] for each in (one, two, one)] == [True, True, False]
    files: list[list[Run]] = [[(one, 0, 25), (two, 3, 9), (one, 5, 6)], [(two, 0, 15)]]
    for _ in range(2):
        answer = client.shard(make_shard(*files), path)
        assert answer.status == 200
        last = json.loads(answer.body.splitlines()[-1])
        assert last["result"] == 1
    contents = [content_of(runs) for runs in files]
    client.hub.committed(*(add_lfs(f"{number}.bin", content) for number, content in enumerate(contents)))
    assert [client.hub.resolve(f"{number}.bin").body for number in range(2)] == contents
    head = client.hub.resolve("0.bin", method="HEAD")
    assert not {"x-xet-hash", "x-xet-refresh-route", "link"} & head.headers.keys()


def test_what_is_sent_does_not_count_twice(regproxy: Regproxy) -> None:
    """A repository may be filled, though what a file was made of is still there; a file is refused only beyond that."""
    small = HubClient(regproxy, key="small")
    client = XetClient.of(small)
    xorbs = [make_xorb([random.Random(size).randbytes(size)]) for size in (60_000, 30_000, 9_900, 1_000)]
    for xorb in xorbs[:2]:
        assert [client.send(xorb).status, client.shard(make_shard([(xorb, 0, 1)])).status] == [200, 200]
        small.committed(add_lfs(xorb.name, xorb.chunks[0]))
    assert sorted(small.paths()) == sorted(xorb.name for xorb in xorbs[:2])
    assert [client.send(xorbs[2]).status, client.shard(make_shard([(xorbs[2], 0, 1)])).status] == [200, 413]
    assert client.send(xorbs[3]).status == 413


def test_bad_xorbs(client: XetClient, xorbs: tuple[Made, Made]) -> None:
    """What hashes to another name, is spoilt, cut or too large is not there."""
    one, two = xorbs
    before = stored(client.hub.regproxy)
    refused = [
        client.send(one, two.name),
        client.send(one, body=one.body[:-1]),
        client.send(one, body=one.body[:1000] + b"\1" + one.body[1001:]),
        client.send(one, body=b""),
    ]
    assert [each.status for each in refused] == [400] * 4
    assert client.send(one, "x").status == 404
    head = f"POST {client.path}/v1/xorbs/default/{one.name} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {client.token}\r\n"
    with socket.create_connection(("127.0.0.1", client.hub.regproxy.port)) as connection:
        connection.sendall(f"{head}Content-Length: {(65 << 20) + 1}\r\n\r\n".encode())
        assert connection.recv(12) == b"HTTP/1.1 413"
    with socket.create_connection(("127.0.0.1", client.hub.regproxy.port)) as connection:
        connection.sendall(f"{head}Content-Length: {len(one.body)}\r\n\r\n".encode() + one.body[:-1])
    assert client.shard(make_shard([(one, 0, 1)])).status == 400
    wait_until(lambda: stored(client.hub.regproxy) == before)


def test_a_full_xorb(client: XetClient) -> None:
    """Has 64 MiB of data, which nothing has made smaller, and headers and a footer beside that."""
    chunks = [random.Random(7).randbytes(128 << 10)] * 512
    full = make_xorb(chunks, footer=b"XETBLOB".ljust(48 * 512, b"\1"))
    assert (client.send(full).status, client.shard(make_shard([(full, 510, 512)])).status) == (200, 200)
    content = content_of([(full, 510, 512)])
    client.hub.committed(add_lfs("full", content))
    assert client.hub.resolve("full").body == content


def test_bad_shards(client: XetClient, xorbs: tuple[Made, Made]) -> None:
    """What they refer to is not there, or makes something else: no file is, and the client hears why, line by line too."""
    one, two = xorbs
    client.send(one)
    missing = client.shard(make_shard([(one, 0, 5), (two, 0, 1)]))
    assert (missing.status, missing.json["error"]) == (400, f"xorb '{two.name}' not found")
    whole = make_shard([(one, 0, 5)])
    wrong = [
        make_shard([(one, 0, 5)], sha256="1" * 64),
        make_shard([(one, 20, 26)]),
        make_shard([(one, 0, 5)], flags=1 << 31),
        whole.replace(len(content_of([(one, 0, 5)])).to_bytes(4, "little"), b"\7\0\0\0"),
        whole[:100],
        b"",
    ]
    assert [client.shard(each).status for each in wrong] == [400] * 6
    lines = [json.loads(line) for line in client.shard(wrong[0], "v2/shards").body.splitlines()]
    assert [each["type"] for each in lines] == ["validating", "error"]
    assert "the shard does not make the file" in lines[-1]["message"]
    assert code_of(client.hub.commit(add_lfs("a", content_of([(one, 0, 5)])))) == (400, "LfsObjectMissing")
    assert client.shard(whole).status == 200


def test_repositories_are_apart(client: XetClient, xorbs: tuple[Made, Made]) -> None:
    """Nobody puts together what was sent to another repository."""
    one, _ = xorbs
    client.send(one)
    other = XetClient.of(client.hub.at("acme/other"))
    assert other.shard(make_shard([(one, 0, 5)])).status == 400


def test_what_only_others_have(client: XetClient) -> None:
    """Is 404, exactly: clients go another way then."""
    name = "1" * 64
    answers = [client.ask("POST", f"v1/xorb-grants/default/{name}", b"{}"), client.ask("GET", f"v1/chunks/default/{name}")]
    assert [each.status for each in answers] == [404] * 2
    assert client.ask("GET", "v1/shards").status == 405


@pytest.mark.parametrize("path", ["reconstruction", "v1/reconstructions", "v2/reconstructions"])
def test_large_files_are_read(client: XetClient, path: str) -> None:
    """They are announced, and a client puts them together, out of parts for which it shows no credentials."""
    content = random.Random(client.hub.repo).randbytes(4_500_000)
    oid = hashlib.sha256(content).hexdigest()
    client.hub.send(content)
    commit = client.hub.committed(add_lfs("a", content))
    head = client.hub.resolve("a", method="HEAD")
    route = f"{client.hub.regproxy.base_url}{client.hub.endpoint}/api/models/{client.hub.repo}/xet-read-token/{commit}"
    assert (head.headers["x-xet-hash"], head.headers["link"]) == (oid, f'<{route}>; rel="xet-auth"')
    assert [each["xetHash"] for each in client.hub.call("GET", "tree/main").json] == [oid]
    said = client.hub.call("GET", f"xet-read-token/{commit}").json
    reader = XetClient(client.hub, urlsplit(said["casUrl"]).path, said["accessToken"])
    for start, stop in ((0, 4_500_000), (131_071, 131_073), (4_000_001, 4_600_000)):
        found = reader.get(f"{path}/{oid}", range=f"bytes={start}-{stop - 1}").json
        data = b""
        for term in found["terms"]:
            entry = (found.get("xorbs") or found["fetch_info"])[term["hash"]][0]
            span = entry.get("url_range") or entry["ranges"][0]["bytes"]
            part = client.hub.put(entry["url"], None, "GET", range=f"bytes={span['start']}-{span['end']}")
            assert (part.status, len(part.body)) == (206, span["end"] - span["start"] + 1)
            data += unframed(part.body)
        assert data[found["offset_into_first_range"] :][: stop - start] == content[start:stop]
    assert reader.get(f"{path}/{oid}", range="bytes=4500000-4600000").status == 416
    assert reader.get(f"{path}/{'1' * 64}").status == 404
    assert reader.get(f"data/{oid}/1").status == 416


def test_days_that_are_over(client: XetClient, xorbs: tuple[Made, Made], twist_regproxy: Callable[..., Regproxy]) -> None:
    """Xorbs of the day before yesterday are kept. Older ones, and objects of a week ago which no commit has taken, go unasked:
    for good, the trash can notwithstanding, and so do the bytes. Objects that will go soon are to be sent again.
    """
    regproxy = twist_regproxy("[store]\ntrashDays = 14\n" + hub())
    hub_client = HubClient(regproxy)
    base, _, rest = client.path.partition("/api/xet/")
    today = int(rest.partition("/")[0])
    one, two = xorbs
    for day, xorb in ((today - 2, one), (today - 3, two)):
        place = f"{base}/api/xet/{day}/models/{hub_client.repo}/v1/xorbs/default/{xorb.name}"
        assert ask(regproxy, "POST", place, xorb.body).status == 200
    contents = {days: random.Random(str(days)).randbytes(1000) for days in (5.9, 6.1, 7.1)}
    for content in contents.values():
        hub_client.send(content)
    regproxy.terminate()
    with sqlite3.connect(regproxy.data_dir / "index.sqlite") as index:
        for days, content in contents.items():
            path = f"%/_lfs/{hashlib.sha256(content).hexdigest()}"
            assert 1 == index.execute("UPDATE nodes SET checked = checked - ? WHERE path LIKE ?", (days * 86_400, path)).rowcount
    index.close()
    regproxy.start()
    folder = f"/api/storage/hub/models/{hub_client.repo}"
    wait_until(lambda: ask(regproxy, "GET", f"{folder}/_xet/{today - 3}").status == 404)
    assert ask(regproxy, "GET", f"{folder}/_xet/{today - 2}/{one.name}").status == 200
    kept, late, gone = (hashlib.sha256(content).hexdigest() for content in contents.values())
    wait_until(lambda: ask(regproxy, "GET", f"{folder}/_lfs/{gone}").status == 404)
    said = hub_client.batch(*contents.values()).json["objects"]
    assert [("actions" in each, each["oid"]) for each in said] == [(False, kept), (True, late), (True, gone)]
    assert 0 == run(regproxy.data_dir, "gc")[0]
    assert sorted([hashlib.sha256(one.body).hexdigest(), kept, late]) == stored(regproxy)
    hub_client.committed(*(add_lfs(str(days), content) for days, content in contents.items() if days < 7))


def test_rights(twist_regproxy: Callable[..., Regproxy], xorbs: tuple[Made, Made]) -> None:
    """A token of Xet is as good as he who has asked for it in that repository, and nowhere else."""
    regproxy = twist_regproxy(hub())
    people = {"bob": (Action.READ, Action.WRITE), "eve": (Action.READ,)}
    tokens = populate(
        regproxy,
        *(Target(name=each.name) for each in OPEN),
        Target(name="t", repositories=("hub",), users=people),
        *(User(name=name, password=HASH) for name in people),
        *(TokenRow(id=name, subject=name, scope="applied-permissions/user", issued=1.0) for name in people),
    )
    bob, eve = (HubClient(regproxy, authorization=f"Bearer {token}") for token in tokens)
    assert code_of(eve.call("GET", "xet-write-token/main")) == (403, "Forbidden")
    client = XetClient.of(bob)
    one, _ = xorbs
    assert client.send(one).status == 200
    assert client.shard(make_shard([(one, 0, 25)])).status == 200
    narrow = HubClient(regproxy, authorization=f"Bearer {client.token}")
    assert narrow.at("acme/else").call("GET", "xet-write-token/main").status == 403
    assert [each["id"] for each in narrow.ask("GET", "api/models").json] == []
    anonymous = ask(regproxy, "POST", f"{client.path}/v1/xorbs/default/{one.name}", one.body)
    assert anonymous.status == 401
    bob.committed(add_lfs("a", content_of([(one, 0, 25)])))
    assert eve.resolve("a").body == content_of([(one, 0, 25)])
