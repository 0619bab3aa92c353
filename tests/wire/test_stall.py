"""A process that is stopped for a while, and one whose clock is set: what clients and operators see of it."""

import http.client
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path

import apsw
import pytest

from tests.fakes.files import remote, serving
from tests.fakes.process import Regproxy
from tests.wire.test_life import get, wait_until

STOPPED = 1.5
KILLS = 20 if os.environ.get("REGPROXY_FULL") == "1" else 8
YEARS = 10 * 365 * 86400


def lag(regproxy: Regproxy) -> float:
    """``regproxy_reactor_lag_seconds``."""
    with urllib.request.urlopen(f"{regproxy.base_url}/metrics", timeout=30) as answer:
        found = re.search(r"(?m)^regproxy_reactor_lag_seconds ([0-9.e+-]+)$", answer.read().decode())
    assert found is not None
    return float(found[1])


def test_a_process_that_stands_still(twist_regproxy: Callable[..., Regproxy]) -> None:
    """The metric says for how long, and a connection that is kept is still there."""
    with serving({"/a": b"x"}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        kept = http.client.HTTPConnection("127.0.0.1", regproxy.port, timeout=60)
        kept.request("GET", "/files/a")
        assert kept.getresponse().read() == b"x"
        own = kept.sock
        regproxy.signal(signal.SIGSTOP)
        kept.request("GET", "/files/a")
        time.sleep(STOPPED)
        regproxy.signal(signal.SIGCONT)
        assert kept.getresponse().read() == b"x"
        assert kept.sock is own
        wait_until(lambda: lag(regproxy) > STOPPED - 0.6)
        assert lag(regproxy) < 60
        kept.close()


@pytest.fixture
def clock(tmp_path: Path) -> tuple[dict[str, str], Callable[[str], None]]:
    """The environment of a process whose wall clock is set by a file, and what sets it. libfaketime leaves the others alone."""
    library = next(Path("/usr/lib").rglob("libfaketimeMT.so.1"))
    file = tmp_path / "time"

    def set_to(offset: str) -> None:
        file.with_suffix(".new").write_text(offset)
        file.with_suffix(".new").rename(file)

    set_to("+0")
    environment = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }
    return environment, set_to


@pytest.mark.client("faketime")
@pytest.mark.client("faketime")
@pytest.mark.parametrize("offset", [f"+{YEARS}", "-3600"])
def test_the_clock_is_set(
    twist_regproxy: Callable[..., Regproxy], clock: tuple[dict[str, str], Callable[[str], None]], offset: str
) -> None:
    """Ten years on or an hour back, amid a connection and a period: nothing is cut, nothing is believed for ever."""
    environment, set_to = clock
    with serving({"/index.json": b"[1]"}) as upstream:
        text = remote(upstream.url, "retrievalCachePeriodSecs = 3600", "missedRetrievalCachePeriodSecs = 1")
        regproxy = twist_regproxy(text, env=environment)
        kept = http.client.HTTPConnection("127.0.0.1", regproxy.port, timeout=30)
        kept.request("GET", "/files/index.json")
        assert kept.getresponse().read() == b"[1]"
        own = kept.sock
        assert get(regproxy, "/files/new")[0] == 404
        set_to(offset)
        date = kept_date(kept)
        assert kept.sock is own
        kept.close()
        assert abs(date - time.time() - float(offset)) < 3600 / 2
        # The period of what is held is measured by a clock that was not set: it is not asked for anew.
        assert upstream.asked["GET", "/index.json"] == 1
        assert lag(regproxy) < 30
        # Nor does a 404 last longer than it is to.
        upstream.contents["/new"] = b"n"
        upstream.etags["/new"] = "n"
        wait_until(lambda: get(regproxy, "/files/new") == (200, b"n"))
        # After a restart the stamps in the index are of another time: upstream is asked, and what it has is served.
        assert regproxy.terminate() == 0
        regproxy.start()
        assert get(regproxy, "/files/index.json") == (200, b"[1]")
        upstream.contents["/later"] = b"l"
        upstream.etags["/later"] = "l"
        assert get(regproxy, "/files/later") == (200, b"l")
        # And back again, with stamps of the future in the index: still nothing is believed for ever.
        assert get(regproxy, "/files/never")[0] == 404
        assert regproxy.terminate() == 0
        set_to("+0")
        upstream.contents["/never"] = b"v"
        upstream.etags["/never"] = "v"
        regproxy.start()
        wait_until(lambda: get(regproxy, "/files/never") == (200, b"v"))
        assert get(regproxy, "/files/index.json") == (200, b"[1]")


def kept_date(connection: http.client.HTTPConnection) -> float:
    """Ask once more, and say what time the server thinks it is."""
    connection.request("GET", "/files/index.json")
    answer = connection.getresponse()
    assert answer.read() == b"[1]"
    return parsedate_to_datetime(answer.headers["date"]).timestamp()


def test_killed_again_and_again(twist_regproxy: Callable[..., Regproxy]) -> None:
    """Time after time kill -9, before it serves and in the middle of a fill (twenty times in full): then everything is right."""
    data = os.urandom(24 << 20)
    with serving({"/big": data, "/small": b"s"}) as upstream:
        regproxy = twist_regproxy(remote(upstream.url))
        assert get(regproxy, "/files/small") == (200, b"s")
        regproxy.kill9()
        for number in range(KILLS):
            regproxy.start(ready=number % 2 == 0)
            if number % 2 == 0:
                client = http.client.HTTPConnection("127.0.0.1", regproxy.port, timeout=30)
                client.request("GET", "/files/big")
                client.getresponse().read(1 + number * 100_000)
                regproxy.kill9()
                client.close()
            else:
                time.sleep(0.25 * (number % 8))
                regproxy.kill9()
        regproxy.start()
        asked = upstream.asked["GET", "/small"]
        assert get(regproxy, "/files/small") == (200, b"s")
        assert upstream.asked["GET", "/small"] == asked
        assert get(regproxy, "/files/big") == (200, data)
        assert regproxy.terminate() == 0
        done = subprocess.run(
            [*_command("verify", "--strict"), "--data-dir", str(regproxy.data_dir)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "regproxy", *arguments]


def test_an_index_of_a_newer_program(twist_regproxy: Callable[..., Regproxy]) -> None:
    """Is refused by one line and status 3, and left as it is."""
    regproxy = twist_regproxy("")
    assert regproxy.terminate() == 0
    path = regproxy.data_dir / "index.sqlite"
    connection = apsw.Connection(str(path))
    connection.execute("INSERT INTO schema_version VALUES (999, 0.0, 'x')")
    connection.close()
    before = len(regproxy.log)
    regproxy.start(ready=False)
    assert regproxy.wait_end() == 3
    said = regproxy.log[before:]
    assert "the index has schema 999, which is newer" in said
    assert "Traceback" not in said
