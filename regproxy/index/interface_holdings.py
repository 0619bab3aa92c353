"""What repositories hold beyond what upstreams gave them: deposits of clients, folders, properties, and what is known of blobs.

``tests/conformance/holdings.py`` is what it means. Those that say "blocks" are called in any thread but the reactor's; the others
are reads by primary key, and writes as in ``Index``: they are durable, surviving a power loss, when their Deferred fires.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred

from regproxy.model.deposit import Child, Deposit, Depositors, Downloads, Folder, Occupied, Properties, Step, Taking
from regproxy.model.digest import Digest


class Holdings(Protocol):
    """A second view of an index. Paths of folders end in a slash."""

    def deposit(self, deposit: Deposit) -> Deferred[bool]:
        """Put a node as one step with its properties, in place of those of the node that was there, and the folders above it.

        True if it is new. ``RegproxyError``, and nothing is changed: DENIED if it may not replace the node that is there,
        CONFLICT if a folder is there or a file is where a folder has to be, TOO_LARGE beyond ``most``.
        """

    def take(self, taking: Taking) -> Deferred[bool]:
        """Put a node that is held already at another place, as a deposit, and let it leave its own if it moves, as one step.

        True if it is new there; when and by whom it was made stay, and what the trash can has noted goes. Refusals are those of
        ``deposit``, and CONFLICT if the node has changed or gone. The blob has to be durable.
        """

    def prune(self, repository: str, path: str) -> Deferred[int]:
        """Remove a folder and those below it, but those in which something lies; how many."""

    def make(self, repository: str, step: Step) -> Deferred[bool]:
        """Make several changes as one step; False, and nothing is changed, if something is not there as it was expected.

        ``RegproxyError`` as for each deposit, and nothing is changed either.
        """

    def make_folder(self, repository: str, path: str, when: float, by: str) -> Deferred[bool]:
        """Make a folder and those above it; False if it was there. CONFLICT as above."""

    def delete(self, repository: str, path: str, before: float = math.inf) -> Deferred[bool]:
        """Remove a node, or a folder with everything below it; False if there was none, or the node was put since ``before``."""

    def depositors(self, repository: str, path: str) -> Depositors | None:
        """Who put a node; None for what came from an upstream."""

    def folder(self, repository: str, path: str) -> Folder | None:
        """A folder that was made, or that is only there because a node lies below it. Blocks."""

    def children(self, repository: str, path: str, after: str = "", limit: int = 1000) -> Sequence[Child]:
        """What lies directly in a folder behind the name ``after`` (a folder's with its slash), in the order of paths. Blocks."""

    def folders(self, repository: str, path: str) -> Sequence[Folder]:
        """Every folder that was made below one, at any depth. Blocks."""

    def properties(self, repository: str, path: str) -> Properties:
        """Of a node or folder."""

    def properties_below(self, repository: str, path: str) -> Mapping[str, Properties]:
        """Of all that lies below a folder and has any, by path. Blocks."""

    def annotate(self, repository: str, path: str, properties: Properties, *, below: bool) -> Deferred[None]:
        """Set properties of a node or folder and, if asked, of all that lies below it, as one step.

        One without values is removed; those of other names stay.
        """

    def digests(self, sha256: str) -> Sequence[Digest]:
        """What else is known of a blob's bytes."""

    def annotated(self, properties: Properties, repositories: Sequence[str], limit: int = 1000) -> Sequence[tuple[str, str]]:
        """Repository and path of nodes and folders that have all of these values; ``*`` is any. Blocks."""

    def downloads(self, repository: str, path: str) -> Downloads:
        """Downloads of a node, a few seconds late."""

    def occupied(self, repository: str) -> Occupied:
        """What clients have put into a repository."""
