"""Several processes as one server: started, killed, reloaded, ended; what they share and what they say of themselves."""

import json
import os
import re
import signal
import socket
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path

from regproxy.store.disk import DiskStore
from tests.fakes.deploying import ask, local
from tests.fakes.files import remote, serving
from tests.fakes.process import Regproxy
from tests.fakes.workers import Load, workers_of
from tests.repo.test_parking import WAYBILL, left_by_dead
from tests.wire.conftest import TWO
from tests.wire.test_life import get, wait_until
from tests.wire.test_notify import Manager
from tests.wire.test_people import READ
from tests.wire.test_repositories import administrator

DATA = b"x" * 1000


def page(regproxy: Regproxy) -> str:
    """``/metrics``, of whichever worker answers."""
    with urllib.request.urlopen(f"{regproxy.base_url}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def number(text: str, name: str) -> float:
    """One number of a page, with its labels as they stand there."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def is_replaced(regproxy: Regproxy, killed: int) -> bool:
    """Whether another worker is there in place of one."""
    return killed not in workers_of(regproxy) and len(workers_of(regproxy)) == 2


def test_one_process_has_no_supervisor(twist_regproxy: Callable[..., Regproxy]) -> None:
    """``workers = 1`` is the process alone: no child, no folder, nothing to ask others for."""
    with serving({"/a": DATA}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url), server="workers = 1")
        assert get(regproxy, "/files/a") == (200, DATA)
        assert workers_of(regproxy) == set()
        assert not (regproxy.data_dir / "workers").exists()
        assert regproxy.process is not None
        mapped = Path(f"/proc/{regproxy.process.pid}/maps").read_text()
        assert "generation" not in mapped


def test_what_one_fetched_all_have(two_workers: Callable[..., Regproxy]) -> None:
    """Every worker serves, and from one store: upstream is asked once; the metrics are those of all of them."""
    with serving({"/a": DATA}) as upstream:
        regproxy = two_workers(remote(upstream.url))
        assert len(workers_of(regproxy)) == 2
        assert get(regproxy, "/files/a") == (200, DATA)
        for _ in range(40):
            assert get(regproxy, "/files/a") == (200, DATA)
        assert upstream.asked["GET", "/a"] == 1
        for _ in range(4):
            text = page(regproxy)
            assert number(text, 'regproxy_cache_requests_total{cache="hit",repository="files"}') == 40
            assert number(text, 'regproxy_fills_total{repository="files"}') == 1


def test_numbers_of_all_show_what_one_may_see(two_workers: Callable[..., Regproxy]) -> None:
    """Whichever worker answers, of a private repository only those hear for whom it is there, and who may see all numbers."""
    regproxy = two_workers(local("open") + local("secret"))
    admin = administrator(regproxy)
    for name in ("Anything", "Any%20Remote"):
        assert admin("DELETE", f"/api/v2/security/permissions/{name}").status == 200
    assert admin.target("open", {"anonymous": READ}, repositories=["open"]).status == 201
    ann = admin.make("ann")
    assert admin.target("secret", {"ann": READ}, repositories=["secret"]).status == 201
    for path in ("open", "secret"):
        for each in range(8):
            assert admin("PUT", f"/{path}/{each}", DATA).status == 201
    token = admin("POST", "/access/api/v1/tokens", {"scope": "system:metrics:r"}).json["access_token"]
    scraper, nobody, both = admin.by(f"Bearer {token}"), admin.by(""), {"open": 8000.0, "secret": 8000.0}
    for who, expected in ((admin, both), (scraper, both), (ann, both), (nobody, {"open": 8000.0})):
        for address in ("/metrics", "/api/v1/metrics") * 4:
            text = who("GET", address).body.decode()
            received = re.findall(r'^regproxy_http_request_bytes_total{repository="(\w+)"} (\S+)$', text, re.MULTILINE)
            assert expected == {key: float(size) for key, size in received if key in both}
            assert set(expected) == both.keys() & set(re.findall('repository="([^"]+)"', text))
    assert scraper("GET", "/secret/0").status == 404


def test_a_killed_worker_is_replaced(two_workers: Callable[..., Regproxy]) -> None:
    """Under load only what the killed worker was doing is lost; another comes, and no counter falls."""
    with serving({"/a": DATA}) as upstream:
        regproxy = two_workers(remote(upstream.url))
        assert get(regproxy, "/files/a") == (200, DATA)
        load = Load(regproxy.port, "/files/a", DATA)
        load.start()
        for _ in range(2):
            before = workers_of(regproxy)
            counted = number(page(regproxy), 'regproxy_http_requests_total{code="200",method="GET"}')
            killed = min(before)
            os.kill(killed, signal.SIGKILL)
            wait_until(partial(is_replaced, regproxy, killed), 30)
            assert number(page(regproxy), 'regproxy_http_requests_total{code="200",method="GET"}') >= counted
        wait_until(lambda: regproxy.log.count(" serves (process ") == 4, 30)
        failed = len(load.failed)
        answered = load.answered
        wait_until(lambda: load.answered > answered + 50, 30)
        load.stop()
        assert len(load.failed) == failed
        assert failed <= 2 * 4, load.failed
        assert get(regproxy, "/readyz")[0] == 200


def test_what_a_killed_worker_had_out_of_sight_is_there_again(two_workers: Callable[..., Regproxy]) -> None:
    """It was killed while it looked whether a blob is needed: a local one would not be served until all of them have ended."""
    regproxy = two_workers(local("own"))
    assert ask(regproxy, "PUT", "/own/x", DATA).status == 201
    killed, store = min(workers_of(regproxy)), regproxy.data_dir / "store"
    (file,) = store.glob("blobs/sha256/*/*")
    file.rename(store / "moving" / f"-{file.name}.{killed}.0123456789abcdef")
    assert get(regproxy, "/own/x")[0] == 500
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: get(regproxy, "/own/x") == (200, DATA), 30)
    assert list((store / "moving").iterdir()) == []


def test_what_a_power_cut_left_that_nothing_can_tell_is_right(two_workers: Callable[..., Regproxy]) -> None:
    """It goes before there is a worker: to workers, what they find was written while the machine ran."""
    regproxy = two_workers(local("own"))
    regproxy.terminate()
    store = DiskStore(regproxy.data_dir / "store")
    left_by_dead(store, WAYBILL)
    assert len(store.left()) == 1
    regproxy.start()
    assert store.left() == []


def test_a_bad_reload_changes_nothing(two_workers: Callable[..., Regproxy]) -> None:
    """Mistakes, and what needs a restart, are said; the workers stay."""
    with serving({"/a": DATA}) as upstream:
        regproxy = two_workers(remote(upstream.url))
        before = workers_of(regproxy)
        regproxy.write_config(remote(upstream.url) + "\nnonsense = 1\n")
        regproxy.signal(signal.SIGHUP)
        wait_until(lambda: "nonsense" in regproxy.log)
        regproxy.server = "workers = 3"
        regproxy.write_config(remote(upstream.url))
        regproxy.signal(signal.SIGHUP)
        wait_until(lambda: "server.workers: expected the value that it had at the start" in regproxy.log)
        assert workers_of(regproxy) == before
        assert get(regproxy, "/files/a") == (200, DATA)


def test_a_rolling_reload_loses_nothing(twist_regproxy: Callable[..., Regproxy], tmp_path: Path) -> None:
    """New workers serve the new configuration; clients with and without keep-alive notice nothing, nor does one who is still
    being sent a large file; systemd hears one voice.
    """
    data = os.urandom(24 << 20)
    with serving({"/a": DATA, "/big": data}) as upstream, Manager(str(tmp_path / "notify")) as manager:
        regproxy = twist_regproxy(remote(upstream.url), server=TWO, env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.wait_for("READY=1") == ["READY=1", "STATUS=serving"]
        assert get(regproxy, "/files/a") == (200, DATA)
        load = Load(regproxy.port, "/files/a", DATA)
        load.start()
        before = workers_of(regproxy)
        assert not any(b"NOTIFY_SOCKET" in Path(f"/proc/{pid}/environ").read_bytes() for pid in before)
        regproxy.write_config(remote(upstream.url) + "\n" + remote(upstream.url).replace('"files"', '"more"'))
        with socket.create_connection(("127.0.0.1", regproxy.port)) as client:
            client.sendall(b"GET /files/big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            got = client.recv(1000)
            regproxy.signal(signal.SIGHUP)
            manager.wait_for("RELOADING=1")
            manager.wait_for("READY=1")
            while part := client.recv(1 << 20):
                got += part
        wait_until(lambda: not before & workers_of(regproxy) and len(workers_of(regproxy)) == 2, 60)
        assert "the configuration was reloaded" in regproxy.log
        assert get(regproxy, "/more/a") == (200, DATA)
        load.stop()
        assert (load.failed, got[-len(data) :] == data) == ([], True)
        assert load.answered > 50
        assert upstream.asked["GET", "/a"] == 2
        assert regproxy.terminate() == 0
        assert manager.wait_for("STOPPING=1")[1].startswith("EXTEND_TIMEOUT_USEC=")


def test_no_worker_outlives_the_supervisor(two_workers: Callable[..., Regproxy]) -> None:
    """Killed, it takes its workers along, and the next server opens the same folder."""
    with serving({"/a": DATA}) as upstream:
        regproxy = two_workers(remote(upstream.url))
        assert get(regproxy, "/files/a") == (200, DATA)
        before = workers_of(regproxy)
        regproxy.kill9()
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in before))
        regproxy.start()
        assert get(regproxy, "/files/a") == (200, DATA)
        before = workers_of(regproxy)
        assert regproxy.terminate() is not None
        assert not any(Path(f"/proc/{pid}").exists() for pid in before)
        assert "died" not in regproxy.log


def test_it_does_not_start_without_workers(twist_regproxy: Callable[..., Regproxy]) -> None:
    """A port that is taken, as with one process, ends it; nothing is left behind."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        regproxy = twist_regproxy(remote("http://127.0.0.1:9"), server=TWO, ready=False)
        wait_until(lambda: regproxy.process is not None and bool(workers_of(regproxy)), 30)
        regproxy.terminate()
        regproxy.port = taken.getsockname()[1]
        regproxy.start(ready=False)
        assert regproxy.wait_end() == 1
        assert "cannot start" in regproxy.log


def test_one_answer_for_all(two_workers: Callable[..., Regproxy]) -> None:
    """The command line, and whoever looks at a page, sees every worker's fills, each of them once."""
    data = os.urandom(4 << 20)
    with serving({f"/{name}": data for name in "abcdef"}) as upstream:
        upstream.hold.clear()
        regproxy = two_workers(remote(upstream.url))
        clients = []
        for name in "abcdefabcdef":
            client = socket.create_connection(("127.0.0.1", regproxy.port))
            client.sendall(f"GET /files/{name} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            clients.append(client)
        try:
            wait_until(lambda: number(page(regproxy), "regproxy_inflight_fetches") == 6, 30)
            wait_until(lambda: sum(int(str(fill["followers"])) for fill in fetches(regproxy)) == 12, 30)
            assert sorted(str(fill["path"]) for fill in fetches(regproxy)) == list("abcdef")
            assert number(page(regproxy), "regproxy_followers") == 12
            assert number(page(regproxy), "regproxy_fill_age_seconds") > 0
            assert number(page(regproxy), "regproxy_upstreams_offline") == 0
        finally:
            upstream.hold.set()
            for client in clients:
                client.close()


def test_commands_are_passed_on(two_workers: Callable[..., Regproxy]) -> None:
    """What a worker can do for all of them it does, telling how far it is: ``verify`` over the common store."""
    with serving({"/a": DATA}) as upstream:
        regproxy = two_workers(remote(upstream.url))
        assert get(regproxy, "/files/a") == (200, DATA)
        wait_until(lambda: get(regproxy, "/files-cache/a")[0] == 200)
        done = regproxy.command("verify")
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        (blob,) = (regproxy.data_dir / "store" / "blobs").rglob("*/*/*")
        blob.chmod(0o600)
        blob.write_bytes(b"y" * len(DATA))
        assert regproxy.command("verify", "--repair").returncode != 0
        assert get(regproxy, "/files/a") == (200, DATA)
        assert upstream.asked["GET", "/a"] == 2


def fetches(regproxy: Regproxy) -> list[dict[str, object]]:
    """What ``regproxy fetches`` prints."""
    printed = regproxy.command("fetches", "--json").stdout
    found: list[dict[str, object]] = json.loads(printed)
    return found
