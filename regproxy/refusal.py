"""What the program refuses to start with: one line on stderr and status 3, in place of a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from regproxy.errors import RegproxyError

EXIT_CONFIGURATION = 3


@contextmanager
def refusals() -> Iterator[None]:
    """End the process for a ``RegproxyError``: an index of a newer program, or one that cannot be opened."""
    try:
        yield
    except RegproxyError as error:
        sys.stderr.write(f"{error.text}\n")
        raise SystemExit(EXIT_CONFIGURATION) from None
