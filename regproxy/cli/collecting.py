"""Has garbage collected: by the server over the control socket, or here while it is stopped."""

from pathlib import Path

from regproxy.cli.asking import GC_SECONDS, NotRunningError, ask
from regproxy.cli.working import work
from regproxy.control import SOCKET
from regproxy.errors import RegproxyError
from regproxy.lock import LockedError
from regproxy.repo.parts import Parts
from regproxy.upkeep.garbage import Collected, Collection


class UnableError(Exception):
    """It could not be done; the text says why."""


def collected(data_dir: Path, *, dry: bool) -> Collected:
    """What was removed, or would be."""
    if not data_dir.is_dir():
        raise UnableError(f"{data_dir}: expected a data directory")
    try:
        return ask(data_dir, "/gc", "dry" if dry else "", Collected, GC_SECONDS)
    except NotRunningError as error:
        if not isinstance(error.__cause__, FileNotFoundError | ConnectionRefusedError):
            raise UnableError(str(error)) from error

    async def collect(parts: Parts) -> Collected:
        return await Collection(parts, dry=dry).run()

    try:
        return work(data_dir, collect)
    except LockedError as error:
        raise UnableError(f"{error}; it does not answer on {SOCKET}") from error
    except (RegproxyError, OSError) as error:
        raise UnableError(f"{data_dir}: {error}") from error
