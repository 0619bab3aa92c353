"""How the program ends that does not start: status 3 and one line on stderr for what it refuses, status 1 for what fails."""

import atexit
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from regproxy.errors import RegproxyError

EXIT_FAILED = 1
EXIT_CONFIGURATION = 3


@contextmanager
def refusals() -> Iterator[None]:
    """End the process for a ``RegproxyError``: an index of a newer program, or one that cannot be opened."""
    try:
        yield
    except RegproxyError as error:
        sys.stderr.write(f"{error.text}\n")
        raise SystemExit(EXIT_CONFIGURATION) from None


def fail_at_exit() -> None:
    """Have the process end with status 1: ``twist`` knows 0 only once its reactor runs, however that stops."""
    atexit.register(_fail)


def _fail() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_FAILED)
