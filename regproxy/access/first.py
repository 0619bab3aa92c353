"""The first administrator, and what anonymous may do at first: written into an index that knows no user yet.

The password comes from the environment, else it is made and lies in a file for our user alone. The file is made before the user,
and is what several processes that begin at once agree by; one that was killed in between goes on with it.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from secrets import token_urlsafe

from regproxy.access.passwords import LONGEST, SHORTEST, hashed
from regproxy.errors import Kind, RegproxyError
from regproxy.index.interface_directory import Directory, Ledger
from regproxy.model.access import Action
from regproxy.model.principals import ANONYMOUS, ANY, ANY_REMOTE, Target, User
from regproxy.stream.pool import Pool

ADMIN = "admin"
FILE = "admin.password"
VARIABLE, FILE_VARIABLE = "REGPROXY_ADMIN_PASSWORD", "REGPROXY_ADMIN_PASSWORD_FILE"

OPEN = (
    Target(name="Anything", repositories=(ANY,), users={ANONYMOUS: (Action.READ,)}),
    Target(name="Any Remote", repositories=(ANY_REMOTE,), users={ANONYMOUS: (Action.READ, Action.WRITE)}),
)
"""Everybody reads everything, and has remotes fetch; for an administrator to narrow."""


async def begin(directory: Directory, data_dir: Path, environment: Mapping[str, str], pool: Pool) -> None:
    """Make what has to be there; nothing if there is a user. ``RegproxyError`` for a password that will not do."""
    if directory.every(User):
        return
    password = await pool.run(lambda: hashed(_password(data_dir, environment)))

    def put(ledger: Ledger) -> None:
        for target in OPEN:
            ledger.put(target, replace=False)
        ledger.put(User(name=ADMIN, password=password, admin=True), replace=False)

    await directory.change(put)


def _password(data_dir: Path, environment: Mapping[str, str]) -> str:
    given, file, source = environment.get(VARIABLE, ""), environment.get(FILE_VARIABLE, ""), VARIABLE
    if not given and file:
        given, source = _read(Path(file)), f"{FILE_VARIABLE}: {file}"
    if given and not SHORTEST <= len(given) <= LONGEST:
        text = f"{source}: expected a password of {SHORTEST} to {LONGEST} characters for the first administrator"
        raise RegproxyError(Kind.INVALID, text)
    return given or _made(data_dir / FILE)


def _made(path: Path) -> str:
    """Written aside and linked into place: whoever finds the file finds the whole password in it."""
    aside = path.with_name(f".{FILE}.{os.getpid()}")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as written:
            written.write(token_urlsafe(24) + "\n")
            written.flush()
            os.fsync(written.fileno())
        try:
            os.link(aside, path)
        except FileExistsError:
            pass
        finally:
            aside.unlink()
    except OSError as error:
        raise RegproxyError(Kind.STORAGE, f"{path} cannot be written: {error.strerror}") from error
    return _read(path)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise RegproxyError(Kind.INVALID, f"{path}, of the first administrator's password, cannot be read") from error
