"""A real nginx in front, with the example that is shipped: it sends stored blobs, and clients see no difference."""

import http.client
import random
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import define

from regproxy.web.accel import HANDED_ON
from tests.fakes.clients import find_program
from tests.fakes.files import Files, remote, serving
from tests.fakes.process import CHECKOUT, Regproxy, free_port
from tests.wire.test_life import wait_until

pytestmark = pytest.mark.client("nginx")
DATA = random.Random(8).randbytes(3 << 20)
EXAMPLE = CHECKOUT / "etc" / "examples" / "nginx-accel.conf"
LATE = {"date", "connection", "x-request-id", "age", "server", "transfer-encoding"}

MAIN = """\
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
  log_format sent '$request_uri $upstream_http_x_accel_redirect $body_bytes_sent';
  access_log {folder}/access.log sent;
  client_body_temp_path {folder}/t; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/t;
  uwsgi_temp_path {folder}/t; scgi_temp_path {folder}/t;
  include {folder}/site.conf;
}}
"""


@define
class Pair:
    """nginx in front, regproxy behind, an upstream of both."""

    front: int
    regproxy: Regproxy
    upstream: Files
    folder: Path
    asked: int = 0

    def ask(self, port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """One request."""
        self.asked += port == self.front
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, headers=fields)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def fill(self) -> None:
        """The first one, through nginx; from now on it is held."""
        assert DATA == self.ask(self.front, "/files/big")[2]
        wait_until(lambda: self.ask(self.regproxy.port, "/files/big", "HEAD")[1]["x-regproxy-cache"] == "hit")

    def redirected(self) -> list[str]:
        """The requests that nginx answered from a file, by their addresses."""
        wait_until(lambda: len((self.folder / "access.log").read_text().splitlines()) >= self.asked)
        lines = (self.folder / "access.log").read_text().splitlines()
        return [line.split()[0] for line in lines if line.split()[1] != "-"]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """The three of them; only paths, the port and the user are not those of the example."""
    program = find_program("nginx")
    assert program is not None
    # A UNIX socket beside the port, for the comparison of both ways.
    with serving({"/big": DATA, "/small": b"s" * 100}) as upstream:
        port, folder = free_port(), tmp_path / "nginx"
        folder.mkdir()
        regproxy = Regproxy(tmp_path / "regproxy", remote(upstream.url), 'trustedProxies = ["unix"]\naccelRedirect = "/_blobs"')
        yield from run(program, folder, port, regproxy, upstream)


def run(program: Path, folder: Path, port: int, regproxy: Regproxy, upstream: Files) -> Iterator[Pair]:
    """Start both, and stop them afterwards."""
    regproxy.sockets = (f"unix:{folder}/http.sock",)
    regproxy.start()
    text = EXAMPLE.read_text().replace("/var/lib/regproxy/store", f"{regproxy.data_dir}/store")
    text = text.replace("/run/regproxy/http.sock", f"{folder}/http.sock").replace("listen 80;", f"listen 127.0.0.1:{port};")
    (folder / "site.conf").write_text(text)
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
    with subprocess.Popen([program, "-c", folder / "nginx.conf", "-p", folder], stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                if (folder / "pid").exists():
                    break
                assert process.poll() is None, (folder / "error.log").read_text()
                time.sleep(0.05)
            yield Pair(port, regproxy, upstream, folder)
        finally:
            process.terminate()
            regproxy.close()


def test_the_example_hands_every_header_on() -> None:
    """Each header for which regproxy relies on nginx is put back there."""
    named = {name.lower() for name in re.findall(r"add_header (\S+)", EXAMPLE.read_text())}
    assert named == HANDED_ON


def test_a_stored_blob_is_sent_by_nginx(pair: Pair) -> None:
    """The fill is streamed, the hit is redirected; status, headers and bytes are those that regproxy itself sends."""
    pair.fill()
    assert pair.redirected() == []
    own = pair.ask(pair.regproxy.port, "/files/big")
    through = pair.ask(pair.front, "/files/big")
    assert "x-accel-redirect" not in own[1] | through[1]
    assert (own[0], own[2]) == (through[0], through[2]) == (200, DATA)
    assert {k: v for k, v in own[1].items() if k not in LATE} == {k: v for k, v in through[1].items() if k not in LATE}
    assert pair.redirected() == ["/files/big"]


def test_nothing_is_made_up_and_nothing_said_twice(pair: Pair) -> None:
    """Of what upstream named no type, nginx names none; every header comes once."""
    pair.upstream.media_type = ""
    pair.fill()
    connection = http.client.HTTPConnection("127.0.0.1", pair.front, timeout=30)
    connection.request("GET", "/files/big")
    pair.asked += 1
    answer = connection.getresponse()
    names = [name.lower() for name, _ in answer.getheaders()]
    assert DATA == answer.read()
    connection.close()
    assert ["/files/big"] == pair.redirected()
    assert "content-type" not in names
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("asked", ["bytes=0-0", "bytes=100-", "bytes=-5", "bytes=1000-2000"])
def test_one_range(pair: Pair, asked: str) -> None:
    """Cut out by nginx, as regproxy would."""
    pair.fill()
    own, through = pair.ask(pair.regproxy.port, "/files/big", Range=asked), pair.ask(pair.front, "/files/big", Range=asked)
    assert (own[0], own[2], own[1]["content-range"]) == (through[0], through[2], through[1]["content-range"])
    assert (own[0], through[1]["etag"]) == (206, own[1]["etag"])
    assert pair.redirected() == ["/files/big"]


def test_what_needs_our_validators_is_answered_by_us(pair: Pair) -> None:
    """Conditionals, If-Range, several ranges, ranges that cannot be, HEAD: the same through nginx, and none redirected."""
    pair.fill()
    etag = pair.ask(pair.regproxy.port, "/files/big", "HEAD")[1]["etag"]
    modified = "Sat, 01 Jan 2000 00:00:00 GMT"
    for status, headers in (
        (304, {"If_None_Match": etag}),
        (200, {"If_None_Match": '"other"'}),
        (304, {"If_Modified_Since": modified}),
        (200, {"If_Unmodified_Since": modified}),
        (200, {"If_Match": etag}),
        (412, {"If_Match": '"other"'}),
        (206, {"Range": "bytes=5-9", "If_Range": etag}),
        (200, {"Range": "bytes=5-9", "If_Range": '"other"'}),
        (206, {"Range": "bytes=0-1,5-9"}),
        (416, {"Range": "bytes=99999999-"}),
        (200, {"Range": "lines=1-2"}),
    ):
        own, through = pair.ask(pair.regproxy.port, "/files/big", **headers), pair.ask(pair.front, "/files/big", **headers)
        assert (headers, status, status) == (headers, own[0], through[0])
        assert len(own[2]) == len(through[2])
    assert pair.ask(pair.front, "/files/big", "HEAD")[1]["content-length"] == str(len(DATA))
    assert pair.redirected() == []


def test_small_ones_are_not_worth_it(pair: Pair) -> None:
    """They are sent along."""
    for _ in range(2):
        assert pair.ask(pair.front, "/files/small")[2] == b"s" * 100
    assert pair.redirected() == []


def test_nobody_else_is_redirected(pair: Pair) -> None:
    """A client that comes directly gets bytes, whatever it says of itself, and the location is closed to clients."""
    pair.fill()
    status, headers, body = pair.ask(pair.regproxy.port, "/files/big", X_Forwarded_For="127.0.0.1")
    assert (status, "x-accel-redirect" in headers, body) == (200, False, DATA)
    (blob,) = (pair.regproxy.data_dir / "store" / "blobs" / "sha256").rglob("??/*")
    assert pair.ask(pair.front, f"/_blobs/{blob.parent.name}/{blob.name}")[0] == 404


def test_a_file_that_nginx_cannot_have(pair: Pair) -> None:
    """It asks again, and regproxy sends it."""
    pair.fill()
    site = pair.folder / "site.conf"
    site.write_text(site.read_text().replace(f"{pair.regproxy.data_dir}/store/blobs/sha256/", f"{pair.folder}/nothing/"))
    port = free_port()
    site.write_text(re.sub(r"listen 127.0.0.1:\d+;", f"listen 127.0.0.1:{port};", site.read_text()))
    main = (pair.folder / "nginx.conf").read_text().replace(f"pid {pair.folder}/pid", f"pid {pair.folder}/pid2")
    (pair.folder / "second.conf").write_text(main)
    program = find_program("nginx")
    assert program is not None
    command = [str(each) for each in (program, "-c", pair.folder / "second.conf", "-p", pair.folder)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        for _ in range(200):
            if (pair.folder / "pid2").exists():
                break
            time.sleep(0.05)
        try:
            assert pair.ask(port, "/files/big")[2] == DATA
        finally:
            process.terminate()
