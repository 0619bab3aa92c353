"""The first byte of a held blob, while upstream is well, while it refuses connections, and while it takes them and says nothing.

Before each sample somebody else asks for what is not held: the proxy knows that upstream is in trouble, and has a request there.
"""

import http.client
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

from bench.blobs import Blob
from bench.programs import Program
from bench.scene import MIB, Scene, timed_get

SIZE = 64 * MIB
ASKED = 20


def run(scene: Scene) -> None:
    """One state after the other: what was held when it began is asked for in all of them."""
    blob, near = scene.blob(SIZE), scene.origin.near
    states: dict[str, Callable[[Program], Iterator[None]]] = {"well": _well, "silent": _silent, "refusing": _refusing}
    with scene.serving(*scene.chosen("regproxy", "nginx")) as running:
        for program in running.values():
            timed_get(program, blob, blob.path)
            program.settle()
        for state, enter in states.items():
            with contextmanager(enter)(near):
                for number, name in scene.rounds(list(running)):
                    with _another(running[name], f"/v2/bench/image/blobs/sha256:{number:064x}"):
                        scene.note("outage", f"upstream {state}", name, number, **{"first ms": first_byte(running[name], blob)})
    blob.file.unlink()


def first_byte(program: Program, blob: Blob) -> float:
    """Milliseconds from before the connection to the first byte of the body, the median of several."""
    times = []
    for _ in range(ASKED):
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", program.port, timeout=60)
        connection.request("GET", blob.path, headers={"Connection": "close"})
        answer = connection.getresponse()
        if answer.status != 200 or len(answer.read(1)) != 1:
            raise RuntimeError(f"{program.name} answers {answer.status}")
        times.append(time.perf_counter() - began)
        connection.close()
    return median(times) * 1000


@contextmanager
def _another(program: Program, path: str) -> Iterator[None]:
    with socket.create_connection(("127.0.0.1", program.port)) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{program.port}\r\n\r\n".encode())
        time.sleep(0.2)
        yield


def _well(origin: Program) -> Iterator[None]:
    del origin
    yield


def _silent(origin: Program) -> Iterator[None]:
    """The kernel takes connections for a process that stands still; nobody reads them."""
    origin.send(signal.SIGSTOP)
    try:
        yield
    finally:
        origin.send(signal.SIGCONT)


def _refusing(origin: Program) -> Iterator[None]:
    origin.stop()
    try:
        yield
    finally:
        origin.start()
