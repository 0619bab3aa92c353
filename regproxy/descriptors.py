"""How many files this process may have open, and what that allows: the defaults of ``[limits]``.

The soft limit is raised to the hard one: it is low for the sake of programs that use select(2), which we don't. A client costs
two descriptors, his connection and the blob that he reads; a fill three, its connection, its spool and what is read of it.
"""

import resource

from attrs import frozen

RESERVED = 40
"""For what is open all the time: the index, ports, logs, the event loop, idle connections to upstreams."""


MOST = 1 << 20
"""More would only slow down what is run from here: some programs look at every descriptor that they could have."""


def raised() -> int:
    """Raise the soft limit as far as it is of use, and say what it is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = max(soft, MOST if hard == resource.RLIM_INFINITY else min(hard, MOST))
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return files


@frozen
class Affordable:
    """What a limit of open files has room for."""

    connections: int
    fills: int

    @classmethod
    def of(cls, files: int) -> "Affordable":
        """Half of what is left for clients, half for fills."""
        left = max(0, files - RESERVED)
        return cls(max(2, left // 4), max(1, left // 6))
