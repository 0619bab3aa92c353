"""Bugs that were planted on purpose: the crash runs must find each of them, or they would find nothing."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from regproxy.model.deposit import Upload
from regproxy.model.digest import Digest
from regproxy.repo.intake import Intake
from regproxy.repo.interface import Receipt
from regproxy.repo.launch import Launch
from regproxy.repo.register import register
from regproxy.store import layout, spool
from regproxy.store.disk import DiskStore
from regproxy.store.spool import SpoolWriter
from tests.faults.crash.origin import CHUNKED, FIXED, MORE, MUTABLE, NEW, OLD


def row_before_rename() -> None:
    """The index says that a blob is there before it is."""

    async def store(self: Any, flight: Any, fill: Any) -> None:
        found = await self._verified(fill)
        fill.blob.succeed()
        await register(self._parts, flight.key, fill, found)
        await fill.commit(found["sha256"].hex)

    _replace(Launch, "_store", store)


def body_to_its_final_name() -> None:
    """No spool: the body grows under the name that readers look for."""
    names = {len(body): hashlib.sha256(body).hexdigest() for body in (FIXED, CHUNKED, MUTABLE, OLD, NEW, MORE)}

    def create(cls: type[SpoolWriter], place: layout.Layout, length: int | None, about: bytes | None = None) -> SpoolWriter:
        name = names[length if length is not None else len(CHUNKED)]
        place.make_folder(name)
        path = place.blob(name)
        return cls(place, path, os.open(path, os.O_RDWR | os.O_CREAT, 0o600), 0)

    def commit(self: SpoolWriter, sha256: str, *, durable: bool, claim: bool = False) -> None:
        self._close()

    _replace(SpoolWriter, "create", classmethod(create))
    _replace(SpoolWriter, "commit", commit)


def short_writes_ignored() -> None:
    """What the kernel did not take is forgotten."""

    def write_all(descriptor: int, offset: int, buffers: Sequence[bytes]) -> None:
        os.pwritev(descriptor, buffers, offset)

    _replace(spool, "write_all", write_all)


def no_cleanup() -> None:
    """What a kill leaves in the spool stays there."""
    _replace(DiskStore, "recover", lambda *_: 0)


def told_before_its_row() -> None:
    """Who uploads is told that it is there when that is about to be written."""

    async def publish(self: Any, upload: Upload, size: int, digests: Mapping[str, Digest]) -> Receipt:
        deposit = self.deposit(upload, size, digests, self._parts.clock.seconds())
        self._parts.clock.callLater(0.1, self._holdings.deposit, deposit)
        return Receipt(deposit.node, (), is_new=True)

    _replace(Intake, "publish", publish)


def no_uploads_kept() -> None:
    """What came of an upload in pieces is taken for litter."""
    recover = DiskStore.recover
    _replace(DiskStore, "recover", lambda self, *_: recover(self))


def no_data_sync() -> None:
    """A durable commit does not wait for its data."""
    _replace(spool, "os", _Without(os, "fdatasync"))


def no_name_sync() -> None:
    """A durable commit does not wait for its name."""
    _replace(layout.Layout, "sync_name", lambda *_: None)


def no_folder_sync() -> None:
    """A durable commit waits for the entry in the folder, not for that of the folder."""
    _replace(layout.Layout, "sync_name", lambda self, sha256: layout.sync_folder(self.folder(sha256)))


def _replace(owner: Any, name: str, value: Any) -> None:
    """For good: this process is a child that has one run to live."""
    setattr(owner, name, value)


class _Without:
    """A module in which one function does nothing."""

    def __init__(self, module: Any, name: str) -> None:
        self._module, self._name = module, name

    def __getattr__(self, name: str) -> Any:
        return (lambda *_: None) if name == self._name else getattr(self._module, name)


BUGS: dict[str, Callable[[], None]] = {
    function.__name__: function
    for function in (
        row_before_rename,
        body_to_its_final_name,
        short_writes_ignored,
        no_cleanup,
        told_before_its_row,
        no_uploads_kept,
        no_data_sync,
        no_name_sync,
        no_folder_sync,
    )
}


def plant(name: str | None) -> None:
    """Break this process."""
    if name is not None:
        BUGS[name]()
