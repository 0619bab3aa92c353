"""Files of a local repository."""

from attrs import evolve

from regproxy.formats.pypi import address
from regproxy.formats.pypi.names import file_path, version_of
from regproxy.formats.pypi.plan import FOREVER
from regproxy.model.want import Shape, Want
from regproxy.repo.interface import Answer, Body, Missing, Repository


async def find(repository: Repository, wanted: address.File, *, body: bool) -> Answer:
    """A file, or its metadata; the digest in an address is the file's in both cases."""
    if not repository.has(file_path(wanted.name, wanted.file), wanted.digest):
        return Missing(f"{repository.key} does not have it")
    version = version_of(wanted.name, wanted.file)
    found = await repository.resolve(Want(wanted.path, Shape.BLOB, body, wanted.name, version))
    if isinstance(found, Body) and wanted.digest is not None:
        return found.showing(evolve(found.head, kept=found.head.kept.plus(FOREVER)))
    return found
