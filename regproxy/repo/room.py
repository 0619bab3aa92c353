"""Room in the store: who may begin to write how much, and what is known of a disk that does not take it.

A fill asks for a writer when its length is known. Without room it gets one that has no spool, and goes through a window: a disk
that is full, read-only, failing or slow is no reason to refuse a client. Every trouble is logged once until it is over.
"""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from txaio.tx import make_logger

from regproxy.model.settings import RepositorySettings
from regproxy.repo.recorder import Recorder
from regproxy.store.interface import BlobStore
from regproxy.stream.enduring import EnduringWriter, is_trouble
from regproxy.stream.lane import in_time
from regproxy.stream.pool import Pool
from regproxy.stream.source import BlobWriter
from regproxy.stream.window import Window

log = make_logger()


@define(eq=False)
class Room:
    """The room of one store.

    Attributes:
        rescue: hashes and writes what the disk does not take; it never waits for a disk.
        trouble: what is wrong with the disk, if anything is known to be.
    """

    _store: BlobStore
    _writers: Pool
    rescue: Pool
    _clock: IReactorTime
    _recorder: Recorder
    trouble: str | None = field(default=None, init=False)

    async def writer(self, settings: RepositorySettings, create: Callable[[], BlobWriter], *, whole: bool) -> EnduringWriter:
        """A writer for a body; ``create`` makes its spool, if there is room. ``whole``: all of it is needed at once."""
        if settings.store_artifacts_locally:
            try:
                return EnduringWriter(await self._spool(create), whole)
            except OSError as error:
                if not is_trouble(error):
                    raise
                self.troubled(settings.key, error)
        return EnduringWriter.through(Window.open(0, bounded=not whole))

    async def _spool(self, create: Callable[[], BlobWriter]) -> BlobWriter:
        given_up = False

        def job() -> BlobWriter:
            writer = create()
            if given_up:
                writer.abort()
            return writer

        try:
            return await in_time(self._clock, self._writers.run(job))
        except TimeoutError:
            given_up = True
            raise

    def troubled(self, repository: str, error: Exception) -> None:
        """A body of a repository is not kept, because of this."""
        self._recorder.not_kept(repository)
        if self.trouble is None:
            log.error("the store is in trouble, bodies pass through it: {error}", error=error)
        self.trouble = str(error)
