"""Row 37: a stored file that cannot be read, or has become shorter, cuts the connection, and whoever keeps it hears of it."""

import errno
import os
from pathlib import Path

import pytest
import pytest_twisted

from regproxy.model.head import Head
from regproxy.repo.interface import Answer, Body, Origin
from regproxy.store.reading import OpenBlob
from regproxy.stream import pages
from regproxy.stream.stored import StoredBlob
from regproxy.web.request import ProxyRequest
from tests.fakes.site import Answering, Client, Stage

SIZE = 1 << 20


def broken(*_: object) -> int:
    """What a bad sector says."""
    raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("sendfile", [True, False])
@pytest.mark.parametrize("fault", ["short", "sendfile and pread", "read-ahead"])
@pytest_twisted.ensureDeferred
async def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, *, sendfile: bool) -> None:
    """The body ends too soon, never well."""
    path, doubts = tmp_path / "blob", list[int]()
    path.write_bytes(bytes(SIZE))
    if fault == "short":
        os.truncate(path, SIZE // 2)
    elif fault == "read-ahead":
        monkeypatch.setattr(pages, "is_hot", lambda *_: False)
        monkeypatch.setattr(pages, "warm", broken)
    else:
        monkeypatch.setattr("regproxy.stream.follower.os.sendfile", broken)
        monkeypatch.setattr("regproxy.stream.follower.os.pread", broken)

    def answer(_: ProxyRequest) -> Answer:
        reader = OpenBlob(os.open(path, os.O_RDONLY), SIZE)
        return Body(Head(SIZE, "application/zip"), StoredBlob(reader, lambda: doubts.append(1)), Origin.HIT)

    def talk(client: Client) -> bytes:
        client.send(b"GET /f HTTP/1.1\r\nHost: a\r\n\r\n")
        try:
            return bytes(client.reply().body)
        except ConnectionError:
            return b""

    async with Stage(Answering(answer, sendfile=sendfile)) as stage:
        got = await stage.ask(talk)
    assert (True, [1]) == (len(got) < SIZE, doubts)


def test_a_page_that_cannot_be_read_is_not_hot(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left to the thread that fetches it; nothing is raised in the reactor."""
    monkeypatch.setattr("regproxy.stream.pages.os.preadv", broken)
    assert not pages.is_hot(0, 0, 10)
    assert pages.read_hot(0, 0, 10) is None
