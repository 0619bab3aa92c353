"""A way in for commands of this machine that act as clients: a UNIX socket (0600) beside the control socket that serves what
the ports serve, whatever those speak and whoever may come to them, and a pass of an hour to read all and have it fetched.

Each process has a door of its own; who asks the control socket of several workers is told of the one that answers.
"""

from pathlib import Path
from typing import Any

import msgspec
from attrs import frozen
from twisted.internet.interfaces import IListeningPort, IReactorUNIX

from regproxy.entrance import Entrance
from regproxy.keeping import Post

SCOPE = "artifact:*:r,w"
SECONDS = 3600


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Where the door is, and the pass; its id is what it can be given back by."""

    socket: str
    token: str
    token_id: str


@frozen
class SideDoor:
    """Of one process."""

    _reactor: IReactorUNIX
    _control: Path
    _entrance: Entrance

    @property
    def path(self) -> Path:
        """Of the socket."""
        return self._control.with_suffix(".side")

    def listen(self, site: Any) -> IListeningPort:
        """Open it, in place of a socket that a crash has left."""
        self.path.unlink(missing_ok=True)
        return self._reactor.listenUNIX(str(self.path), site, mode=0o600)

    def command(self) -> Post:
        """``POST /enter`` on the control socket."""
        return Post(self._enter)

    async def _enter(self, purpose: str) -> Entry:
        issued = await self._entrance.admit(SCOPE, SECONDS, purpose)
        return Entry(socket=str(self.path), token=issued.access_token, token_id=issued.token_id)
