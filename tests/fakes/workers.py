"""Looks into a regproxy of several workers, and loads it: who the workers are, and clients that count what they lose."""

import http.client
import threading
from pathlib import Path

from attrs import define, field

from tests.fakes.process import Regproxy

SECONDS = 30.0


def workers_of(regproxy: Regproxy) -> set[int]:
    """The processes of the workers: children of the supervisor."""
    assert regproxy.process is not None
    supervisor = regproxy.process.pid
    text = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text()
    return {int(pid) for pid in text.split()}


@define(eq=False)
class Load:
    """Clients that ask for one path over and over, half of them on connections that they keep.

    Attributes:
        answered: requests that were answered as they had to be.
        failed: what became of the others.
    """

    port: int
    path: str
    expected: bytes
    answered: int = field(default=0, init=False)
    failed: list[str] = field(factory=list, init=False)
    _stopping: threading.Event = field(factory=threading.Event, init=False)
    _threads: list[threading.Thread] = field(factory=list, init=False)

    def start(self, clients: int = 4) -> None:
        """Begin."""
        for number in range(clients):
            thread = threading.Thread(target=self._run, args=(number % 2 == 0,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End, when each has had its last answer."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(SECONDS)

    def _run(self, keep: bool) -> None:  # noqa: FBT001 - a thread's argument
        connection = self._connection()
        while not self._stopping.is_set():
            try:
                connection.request("GET", self.path, headers={} if keep else {"Connection": "close"})
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))
                connection.close()
                connection = self._connection()
                continue
            if (answer.status, body) == (200, self.expected):
                self.answered += 1
            else:
                self.failed.append(f"status {answer.status}, {len(body)} bytes")
        connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
