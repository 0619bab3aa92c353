"""What passes between the supervisor and a worker: orders on the worker's stdin, reports on a pipe of its own.

One JSON value a line. The configuration passes whole, with its secrets, so that a worker that is started again serves what is
in force and not what lies in a file that somebody is editing; nothing of it is in a command line or an environment.
"""

import msgspec

from regproxy.model.settings import Configuration
from regproxy.telemetry.merging import Family

# Descriptors of a worker; its ports follow.
ORDERS = 0
REPORTS = 3
LOG = 4
LOCK = 5
FIRST_PORT = 6

RETIRE = b"retire\n"
"""All that is ever said after the orders."""

LONGEST = 16 << 20
"""No line is longer."""


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is told first.

    Attributes:
        number: which of the live workers it is, from 1 on.
        configuration: in force, with its secrets and every URL that is known.
        data_dir: absolute.
        was_clean: whether the last run of the server was.
        adopts: it gives rows to blobs of which an index that is new knows nothing.
        ports: how many listening sockets there are, from ``FIRST_PORT`` on, in the order of the configuration.
    """

    number: int
    configuration: Configuration
    data_dir: str
    was_clean: bool
    adopts: bool
    ports: int


class Serving(msgspec.Struct, frozen=True, tag="serving"):
    """A worker accepts connections."""


class Counted(msgspec.Struct, frozen=True, tag="counted"):
    """What a worker had counted when it ended."""

    families: tuple[Family, ...]


Report = Serving | Counted


def line(value: msgspec.Struct) -> bytes:
    """Write one down."""
    return msgspec.json.encode(value) + b"\n"


def read_orders(text: bytes) -> Orders:
    """Read the first line of a worker's stdin."""
    return msgspec.json.decode(text, type=Orders)


def read_report(text: bytes) -> Report:
    """Read a report."""
    return msgspec.json.decode(text, type=Report)  # type: ignore[no-any-return] # a union is no class to mypy
