"""A program that puts nodes until it is killed, and prints the path of each one when its Deferred fires."""

import os
import sys
from pathlib import Path

from regproxy.index.sqlite import SqliteIndex
from tests.conformance.index import node_at
from tests.index.threads import ThreadedClock

AT_ONCE = 20


def main(path: str, run: str) -> None:
    """Never return."""
    clock = ThreadedClock()
    index = SqliteIndex(Path(path), clock)
    index.start()
    asked = 0

    def ask(answered: str = "") -> None:
        nonlocal asked
        if answered:
            os.write(1, f"{answered}\n".encode())
        asked += 1
        key = f"{run}/{asked}"
        index.put(node_at(key, asked % 100), synced=True).addCallback(lambda _: ask(key))

    for _ in range(AT_ONCE):
        ask()
    while True:
        clock.turn()


if __name__ == "__main__":
    main(*sys.argv[1:])
