"""Users, rights and tokens for a real process, written into its index while it is stopped."""

from base64 import b64encode

from regproxy.access.passwords import hashed
from regproxy.access.tokens import Claims, sign
from regproxy.index.sqlite import SqliteIndex
from regproxy.index.sqlite_directory import SqliteDirectory
from regproxy.model.principals import Entry, TokenRow
from tests.fakes.directory import add, put
from tests.fakes.process import Regproxy
from tests.index.threads import ThreadedClock

PASSWORD = "correct horse"
HASH = hashed(PASSWORD)


def populate(regproxy: Regproxy, *entries: Entry | TokenRow) -> list[str]:
    """Stop it, write, and start it again; the tokens, signed."""
    regproxy.terminate()
    clock = ThreadedClock()
    index = SqliteIndex(regproxy.data_dir / "index.sqlite", clock)
    index.start()
    directory = SqliteDirectory(index)
    tokens = []
    for entry in entries:
        if isinstance(entry, TokenRow):
            clock.wait(add(directory, entry, 0.0))
            tokens.append(sign(Claims(entry.subject, entry.scope, entry.id, expires=entry.expires), directory.key(), 0.0))
        else:
            clock.wait(put(directory, entry))
    clock.wait(index.close())
    regproxy.start()
    return tokens


def basic(user: str, secret: str = PASSWORD) -> str:
    """The header's value."""
    return "Basic " + b64encode(f"{user}:{secret}".encode()).decode()
