"""What somebody may be allowed to do with a node. Routes say which of these they need (``web/guard.py``)."""

from enum import Enum


class Action(Enum):
    """Creating, overwriting and deleting are different things: who may write need not be able to destroy."""

    __hash__ = object.__hash__  # Enum's own is written in Python, and rights are asked several times at each hit

    READ = "read"
    WRITE = "write"
    """Deploy; in a remote repository, have something fetched that is not there yet."""
    ANNOTATE = "annotate"
    DELETE = "delete"
    """Also what replacing the bytes of a node needs."""
    MANAGE = "manage"
