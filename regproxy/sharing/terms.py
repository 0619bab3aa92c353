"""What a repository tells of one flight that is to be shared."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from attrs import frozen

R = TypeVar("R")


@frozen
class Terms(Generic[R]):
    """The repository's side.

    Attributes:
        arrived: whether another process has stored meanwhile what this flight is for.
        recall: lets the next launch go on with a spool file whose writer has ended; without an error if there is none.
        write, read: an outcome without a body, as JSON.
    """

    arrived: Callable[[], bool]
    recall: Callable[[str], Awaitable[None]]
    write: Callable[[R], bytes]
    read: Callable[[bytes], R]
