"""Nodes: everything that a repository holds is (repository, path) → blob and what is known about it."""

from attrs import frozen

from regproxy.model.head import Head
from regproxy.model.headers import Headers


@frozen
class Node:
    """One path of one repository.

    Attributes:
        repository, path: its key.
        sha256, size: of its blob.
        head: what responses say about it.
        validators: upstream's own ETag and Last-Modified (which the head's may not be), for conditional requests.
        created, modified: seconds since the epoch: first stored here, and last changed.
        checked: when upstream last confirmed it, in seconds since the epoch.
        origin: the URL that it came from, without query, fragment and user.
    """

    repository: str
    path: str
    sha256: str
    size: int
    head: Head
    validators: Headers = Headers()
    created: float = 0.0
    modified: float = 0.0
    checked: float = 0.0
    origin: str = ""


@frozen
class Negative:
    """An answer without a body that upstream gave for a path, believed until ``expires`` (seconds since the epoch)."""

    repository: str
    path: str
    status: int
    expires: float
    kept: Headers = Headers()
