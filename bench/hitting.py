"""Small hits at a fixed rate, each timed from when it was due. ``python -m bench.hitting PORT PATH SIZE``.

Says ``ready``, hits until a line comes on stdin, then prints the seconds of each.
"""

import sys
import threading
import time

from bench.client import connect

THREADS = 8
PER_SECOND = 25


def hit(port: int, path: str, size: int, number: int, until: threading.Event, times: list[float]) -> None:
    """One connection that is kept, with a request each time that one is due."""
    connection = connect(port)
    period = 1 / PER_SECOND
    due = time.perf_counter() + number * period / THREADS
    while not until.is_set():
        time.sleep(max(0.0, due - time.perf_counter()))
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status != 200 or len(answer.read()) != size:
            raise ConnectionError(str(answer.status))
        times.append(time.perf_counter() - due)
        due += period


def main() -> None:
    """One process of hits."""
    port, path, size = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    until, times = threading.Event(), list[float]()
    threads = [threading.Thread(target=hit, args=(port, path, size, number, until, times)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    until.set()
    for thread in threads:
        thread.join()
    sys.stdout.write(" ".join(map(str, times)))


if __name__ == "__main__":
    main()
