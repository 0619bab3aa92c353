"""Puts together what knows people: the directory in the index, the authority over it, the gate that asks it, and the thread in
which passwords are hashed.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from attrs import define
from twisted.internet.posixbase import PosixReactorBase

from regproxy.access import first
from regproxy.access.authority import Authority
from regproxy.index.interface_directory import Directory
from regproxy.index.sqlite import SqliteIndex
from regproxy.index.sqlite_directory import SqliteDirectory
from regproxy.model.settings import Configuration
from regproxy.stream.pool import WriterPool
from regproxy.web.addresses import BaseUrl
from regproxy.web.gate import Gate


@define(eq=False)
class Entrance:
    """One for a process."""

    gate: Gate
    _directory: Directory
    _hashing: WriterPool
    _data_dir: Path
    _environment: Mapping[str, str]

    @classmethod
    def of(cls, reactor: PosixReactorBase, configuration: Configuration, index: SqliteIndex, data_dir: Path) -> Self:
        """By the configuration."""
        hashing, directory, server = WriterPool(reactor, 1), SqliteDirectory(index), configuration.server
        authority = Authority(directory, configuration.access.anonymous, reactor, hashing)
        gate = Gate(authority, BaseUrl.of(server.base_url, server.trusted_proxies))
        return cls(gate, directory, hashing, data_dir, os.environ)

    async def open(self) -> None:
        """Make the first administrator, if there is nobody; the index was started."""
        self._hashing.start()
        await first.begin(self._directory, self._data_dir, self._environment, self._hashing)

    def close(self) -> None:
        """Let nobody in any more."""
        self._hashing.stop()
