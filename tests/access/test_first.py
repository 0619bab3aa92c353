"""What an index begins with."""

import stat
from pathlib import Path

import pytest
import pytest_twisted

from regproxy.access.first import FILE, FILE_VARIABLE, VARIABLE, begin
from regproxy.access.passwords import LONGEST, is_right
from regproxy.errors import RegproxyError
from regproxy.index.memory_directory import MemoryDirectory
from regproxy.model.principals import Target, User
from tests.fakes.remote import InlinePool


def names(folder: Path) -> list[str]:
    """What is in it."""
    return [each.name for each in folder.iterdir()]


def admin_of(directory: MemoryDirectory) -> User:
    """The administrator."""
    found = directory.get(User, "admin")
    assert found is not None
    assert found.admin
    return found


@pytest_twisted.ensureDeferred
async def test_a_password_is_made(tmp_path: Path) -> None:
    """It lies in a file for our user alone; nothing else is left, and nothing is made a second time."""
    directory = MemoryDirectory()
    await begin(directory, tmp_path, {}, InlinePool())
    file = tmp_path / FILE
    password = file.read_text().strip()
    assert (0o600, [FILE], True) == (
        stat.S_IMODE(file.stat().st_mode),
        names(tmp_path),
        len(password) > 30,
    )
    assert is_right(password, admin_of(directory).password)
    assert ["Any Remote", "Anything"] == [target.name for target in directory.every(Target)]
    file.unlink()
    await begin(directory, tmp_path, {}, InlinePool())
    assert names(tmp_path) == []


@pytest_twisted.ensureDeferred
async def test_a_password_is_given(tmp_path: Path) -> None:
    """By a variable, or by a file that one names; no file is made."""
    secret = tmp_path / "secret"
    secret.write_text("from a file\n")
    for environment, password in (({VARIABLE: "from here"}, "from here"), ({FILE_VARIABLE: str(secret)}, "from a file")):
        directory = MemoryDirectory()
        await begin(directory, tmp_path, environment, InlinePool())
        assert is_right(password, admin_of(directory).password)
    assert not (tmp_path / FILE).exists()


@pytest_twisted.ensureDeferred
async def test_a_password_that_will_not_do(tmp_path: Path) -> None:
    """Too short, too long, or not there: nobody is made, and it is said where the password came from."""
    short = tmp_path / "short"
    short.write_text("short\n")
    for environment, source in (
        ({VARIABLE: "short"}, f"{VARIABLE}: "),
        ({VARIABLE: "x" * (LONGEST + 1)}, f"{VARIABLE}: "),
        ({FILE_VARIABLE: str(short)}, f"{FILE_VARIABLE}: {short}: "),
        ({FILE_VARIABLE: str(tmp_path / "none")}, f"{tmp_path / 'none'}, "),
    ):
        directory = MemoryDirectory()
        with pytest.raises(RegproxyError) as caught:
            await begin(directory, tmp_path, environment, InlinePool())
        assert (source, []) == (caught.value.text[: len(source)], directory.every(User))


@pytest_twisted.ensureDeferred
async def test_after_a_kill(tmp_path: Path) -> None:
    """A file whose user was not made yet is gone on with."""
    (tmp_path / FILE).write_text("of the first start\n")
    directory = MemoryDirectory()
    await begin(directory, tmp_path, {}, InlinePool())
    assert is_right("of the first start", admin_of(directory).password)
