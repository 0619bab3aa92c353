"""kill -9 straight after 201, at random points, beside uploads that are under way: what was acknowledged is there each time."""

import hashlib
import http.client
import random
import threading
import time
from collections.abc import Callable

from attrs import define, field

from tests.conftest import FULL
from tests.fakes.deploying import ask, local
from tests.fakes.process import Regproxy
from tests.fakes.pushing import images

KILLS = 200 if FULL else 10
WRITERS = 3
LARGEST = 300_000


@define(eq=False)
class Writers:
    """Clients that put one thing after the other for as long as the server answers; ``kept`` has what it has said 201 to."""

    regproxy: Regproxy
    seed: int
    kept: dict[str, bytes] = field(factory=dict)
    enough: threading.Event = field(factory=threading.Event)
    wanted: int = 0

    def run(self, number: int) -> None:
        """One of them."""
        chosen = random.Random(f"{self.seed}/{number}")
        for count in range(1000):
            data = chosen.randbytes(chosen.randrange(1, LARGEST))
            name = f"{self.seed}/{number}/{count}"
            digest = hashlib.sha256(data).hexdigest()
            path = f"/files/{name}" if count % 3 else f"/v2/images/{name}/blobs/uploads/?digest=sha256:{digest}"
            connection = http.client.HTTPConnection("127.0.0.1", self.regproxy.port, timeout=30)
            try:
                connection.request("PUT" if count % 3 else "POST", path, data, {"Content-Type": "application/octet-stream"})
                status = connection.getresponse().status
            except (OSError, http.client.HTTPException):
                return
            finally:
                connection.close()
            assert status == 201, status
            self.kept[path if count % 3 else f"/v2/images/{name}/blobs/sha256:{digest}"] = data
            if len(self.kept) >= self.wanted:
                self.enough.set()


def test_what_was_acknowledged_is_there(twist_regproxy: Callable[..., Regproxy]) -> None:
    """Whole, under its address, after each of the kills; and all of it in the end."""
    regproxy = twist_regproxy(local() + images())
    chosen = random.Random(201)
    every: dict[str, bytes] = {}
    for kill in range(KILLS):
        writers = Writers(regproxy, kill)
        writers.wanted = chosen.randrange(1, 25)
        threads = [threading.Thread(target=writers.run, args=(number,)) for number in range(WRITERS)]
        for thread in threads:
            thread.start()
        assert writers.enough.wait(60)
        time.sleep(chosen.choice((0.0, 0.0, chosen.random() / 100)))
        regproxy.kill9()
        for thread in threads:
            thread.join()
        regproxy.start()
        for path, data in writers.kept.items():
            answer = ask(regproxy, "GET", path)
            assert (answer.status, answer.body == data) == (200, True), (kill, path)
        every |= writers.kept
    for path, data in every.items():
        assert int(ask(regproxy, "HEAD", path).headers["content-length"]) == len(data)
