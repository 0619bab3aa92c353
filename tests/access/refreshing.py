"""A program that refreshes tokens until it is killed, and prints by what each one can be refreshed when it is given out."""

import os
import sys
from pathlib import Path

from twisted.internet.defer import Deferred

from regproxy.access.issuing import Issuing
from regproxy.access.making import Issued, Wish
from regproxy.index.sqlite import SqliteIndex
from regproxy.index.sqlite_directory import SqliteDirectory
from tests.index.threads import ThreadedClock


def main(path: str, *secrets: str) -> None:
    """Never return: each of these is used, and what came of it, and so on."""
    clock = ThreadedClock()
    index = SqliteIndex(Path(path), clock)
    index.start()
    issuing = Issuing(SqliteDirectory(index), clock)

    def refresh(number: int, secret: str) -> None:
        def again(issued: Issued) -> None:
            os.write(1, f"{number} {issued.refresh_token}\n".encode())
            refresh(number, issued.refresh_token)

        Deferred.fromCoroutine(issuing.refresh(secret)).addCallback(again)

    for number, secret in enumerate(secrets):
        refresh(number, secret)
    while True:
        clock.turn()


def begun(clock: ThreadedClock, index: SqliteIndex, user: str) -> str:
    """By what a new token of a user is refreshed."""
    wish = Wish(username=user, refreshable=True)
    return clock.wait(Deferred.fromCoroutine(Issuing(SqliteDirectory(index), clock).issue(wish))).refresh_token


if __name__ == "__main__":
    main(*sys.argv[1:])
