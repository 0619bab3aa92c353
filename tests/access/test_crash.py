"""Of a process that is killed in the middle of refreshing tokens everybody still has the old one or the new one."""

from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

from regproxy.access.issuing import Issuing
from regproxy.errors import RegproxyError
from regproxy.index.sqlite import SqliteIndex
from regproxy.index.sqlite_directory import SqliteDirectory
from regproxy.model.principals import User
from tests.access.refreshing import begun
from tests.fakes.directory import put
from tests.fakes.killing import killed
from tests.index.threads import ThreadedClock

KILLS, FAMILIES = 4, 8


def test_a_new_token_that_cannot_be_written(tmp_path: Path) -> None:
    """Leaves the old one as it was: it can be refreshed when there is room again."""
    clock = ThreadedClock()
    index = SqliteIndex(tmp_path / "index.sqlite", clock)
    index.start()
    directory = SqliteDirectory(index)
    clock.wait(put(directory, User(name="ann")))
    secret = begun(clock, index, "ann")
    (kept,) = directory.tokens()
    full = "CREATE TRIGGER full BEFORE INSERT ON tokens BEGIN SELECT RAISE(ABORT, 'full'); END"
    clock.wait(index.change(lambda connection: connection.execute(full) and None))
    with pytest.raises(RegproxyError, match="cannot be written"):
        clock.wait(Deferred.fromCoroutine(Issuing(directory, clock).refresh(secret)))
    assert [kept] == list(directory.tokens())
    clock.wait(index.change(lambda connection: connection.execute("DROP TRIGGER full") and None))
    assert clock.wait(Deferred.fromCoroutine(Issuing(directory, clock).refresh(secret))).refresh_token
    clock.wait(index.close())


def test_kill_while_refreshing(tmp_path: Path) -> None:
    """After each kill there is one token of each family, and everybody goes on with what he was given last."""
    path, clock = tmp_path / "index.sqlite", ThreadedClock()
    index = SqliteIndex(path, clock)
    index.start()
    clock.wait(put(SqliteDirectory(index), User(name="ann")))
    secrets = [begun(clock, index, "ann") for _ in range(FAMILIES)]
    for attempt in range(KILLS):
        clock.wait(index.close())
        for line in killed("tests.access.refreshing", str(path), *secrets, after=1 + 13 * attempt):
            number, secret = line.split()
            secrets[int(number)] = secret
        index = SqliteIndex(path, clock)
        index.start()
        directory = SqliteDirectory(index)
        assert len(directory.tokens()) == FAMILIES
        issuing = Issuing(directory, clock)
        secrets = [clock.wait(Deferred.fromCoroutine(issuing.refresh(secret))).refresh_token for secret in secrets]
    clock.wait(index.close())
