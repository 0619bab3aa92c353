"""Bare twisted.web with a file's bytes in memory: the yardstick of small hits. ``python -m bench.twisted_web PORT FILE``."""

import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Request, Site


class Bytes(Resource):
    """Answers every GET with the same bytes."""

    isLeaf = True  # noqa: N815 - Twisted's name

    def __init__(self, data: bytes) -> None:
        Resource.__init__(self)
        self._data = data

    def render_GET(self, request: Request) -> bytes:  # noqa: ARG002, N802 - Twisted's name
        """The bytes."""
        return self._data


def main() -> None:
    """Serve until somebody ends it."""
    site: Any = Site(Bytes(Path(sys.argv[2]).read_bytes()))
    serving: Any = reactor
    serving.listenTCP(int(sys.argv[1]), site, interface="127.0.0.1")
    serving.run()


if __name__ == "__main__":
    main()
