"""Stored blobs that are looked at again because somebody reads them: all of them, a sample, or those that could not be read.

One look at a blob at a time, shared by all its readers; samples are one at a time altogether, because they cost what they find.
"""

import random
from collections.abc import Callable
from typing import Literal

from attrs import define, field
from txaio.tx import make_logger

from regproxy.errors import Kind, RegproxyError, is_used_up
from regproxy.repo.damage import avoid
from regproxy.repo.parts import Parts
from regproxy.stream.checked import CheckedBlob
from regproxy.stream.rehash import Pace, hash_blob
from regproxy.stream.source import BlobReader
from regproxy.stream.spawn import spawn

log = make_logger()

SAMPLE_RATE = 100 << 20

Reads = Literal["off", "sampled", "always"]


@define(eq=False)
class Doubts:
    """Decides which reads are looked at, and does it.

    Attributes:
        reads: which.
        share: of those that are opened, where it is ``sampled``.
    """

    _parts: Parts
    reads: Reads = "off"
    share: float = 0.0
    _dice: Callable[[], float] = random.random
    _checked: dict[str, CheckedBlob] = field(factory=dict, init=False)
    _looking: bool = field(default=False, init=False)

    def opened(self, sha256: str) -> None:
        """A blob is about to be read: look at it, if it is one of the sample."""
        if self.reads == "sampled" and self._dice() < self.share:
            self.look(sha256)

    def look(self, sha256: str) -> None:
        """Read a blob through in the background; a wrong one goes into quarantine."""
        if not self._looking:
            self._looking = True
            spawn(self._look(sha256), f"looking at {sha256}")

    async def _look(self, sha256: str) -> None:
        try:
            reader = self._open(sha256)
            if reader is None:
                return
            try:
                if not await self.is_right(sha256, reader, Pace(self._parts.clock, SAMPLE_RATE)):
                    await avoid(self._parts, sha256, "damaged", reader)
            finally:
                reader.close()
        finally:
            self._looking = False

    def _open(self, sha256: str) -> BlobReader | None:
        try:
            return self._parts.store.open(sha256)
        except OSError as error:
            log.error("blob {sha256} cannot be opened: {error}", sha256=sha256, error=error)  # noqa: TRY400 - where, is no news
            return None

    async def is_right(self, sha256: str, reader: BlobReader, pace: Pace | None = None) -> bool:
        """Whether an open blob can be read and hashes to its name."""
        try:
            found = await hash_blob(reader, self._parts.readers, pace)
        except OSError as error:
            if is_used_up(error):
                raise
            log.error("blob {sha256} cannot be read: {error}", sha256=sha256, error=error)  # noqa: TRY400 - where, is no news
            return False
        self._parts.recorder.blob_checked(reader.size)
        return found == sha256

    def checked(self, sha256: str, reader: BlobReader) -> CheckedBlob:
        """The blob as something whose end waits for the verdict; the reader is taken over."""
        known = self._checked.get(sha256)
        if known is not None:
            reader.close()
            return known.hold()

        def begin() -> None:
            self._checked.setdefault(sha256, made)
            spawn(self._judge(sha256, made.hold(), reader), f"checking {sha256}")

        made = CheckedBlob(reader, _nothing, begin)
        return made

    async def _judge(self, sha256: str, blob: CheckedBlob, reader: BlobReader) -> None:
        try:
            right = await self.is_right(sha256, reader)
            if not right:
                # Before its readers are cut off: one that comes back at once must not find it again.
                await avoid(self._parts, sha256, "damaged", reader)
        except BaseException as error:
            blob.fail(error)
            raise
        finally:
            if self._checked.get(sha256) is blob:
                del self._checked[sha256]
            blob.release()
        if right:
            blob.succeed()
        else:
            blob.fail(RegproxyError(Kind.INTEGRITY, "the stored bytes are not those that they were"))


def _nothing() -> None:
    """What is being read through needs no further doubts."""
