"""The scrub: everything that is stored is read again, slowly, all the time, so that rot is found before somebody needs the blob.

A service of ``jobs``: a step reads one slice. A cycle ends within its period, whatever the store's size; where it stands is
remembered across restarts.
"""

from collections.abc import Iterator

from attrs import define, field
from txaio.tx import make_logger

from regproxy.errors import is_used_up
from regproxy.index.interface import BlobRow
from regproxy.repo.parts import Parts
from regproxy.stream.rehash import Rehash
from regproxy.stream.source import BlobReader
from regproxy.upkeep.inspection import Inspector
from regproxy.upkeep.report import Finding, Trouble

log = make_logger()

BEGAN, POSITION = "scrub.began", "scrub.position"
SMALLEST = 4096  # so that empty blobs take their time too


@define(eq=False)
class Scrub:
    """Reads all blobs again, in the order of their names.

    Attributes:
        rate: bytes per second; faster where a cycle would otherwise take longer than ``period`` (seconds).
    """

    _parts: Parts
    rate: float
    period: float
    _inspector: Inspector = field(init=False)
    _rows: Iterator[BlobRow] | None = field(default=None, init=False)
    _row: BlobRow | None = field(default=None, init=False)
    _reader: BlobReader | None = field(default=None, init=False)
    _rehash: Rehash | None = field(default=None, init=False)
    _speed: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self._inspector = Inspector(self._parts, None, repairs=True)

    async def step(self) -> float:
        """Read one slice, or open the next blob; the seconds until more may be read."""
        if self._rehash is None or self._row is None or self._reader is None:
            return await self._next()
        detail = ""
        try:
            count = await self._rehash.advance()
            if not self._rehash.done:
                return count / self._speed
            found = self._rehash.hexdigest()
            self._parts.recorder.blob_checked(self._row.size)
            detail = "" if found == self._row.sha256 else f"hashes to {found}"
        except OSError as error:
            if is_used_up(error):
                raise
            count, detail = SMALLEST, str(error)
        row, reader = self._row, self._reader
        self._row = self._reader = self._rehash = None
        try:
            if detail:
                _tell(await self._inspector.wrong(Trouble.DAMAGED, row, detail, reader))
        finally:
            reader.close()
        return max(count, SMALLEST) / self._speed

    def close(self) -> None:
        """Let go of what is being read."""
        if self._reader is not None:
            self._reader.close()
        self._row = self._reader = self._rehash = None

    async def _next(self) -> float:
        if self._rows is None:
            pause = await self._begin()
            if pause > 0:
                return pause
        assert self._rows is not None
        rows = self._rows
        row = await self._parts.readers.run(lambda: next(rows, None))
        if row is None:
            self._rows = None
            await self._parts.index.remember(POSITION, "")
            return 0.0
        await self._parts.index.remember(POSITION, row.sha256)
        opened = await self._inspector.opened(row)
        if isinstance(opened, Finding):
            _tell(opened)
        elif opened is not None:
            self._row, self._reader, self._rehash = row, opened, Rehash(opened, self._parts.readers)
        return SMALLEST / self._speed

    async def _begin(self) -> float:
        """Go on behind what was read last, or begin a cycle when it is time; the seconds until then."""
        index, now = self._parts.index, self._parts.clock.seconds()
        position = index.word(POSITION) or ""
        if not position:
            due = float(index.word(BEGAN) or 0.0) + self.period
            if now < due <= now + self.period:
                return due - now
            await index.remember(BEGAN, repr(now))
        total = await self._parts.readers.run(lambda: sum(row.size for row in index.each_blob(position)))
        left = max(1.0, float(index.word(BEGAN) or now) + self.period - now)
        self._speed = max(self.rate, total / left)
        self._rows = index.each_blob(position)
        return 0.0


def _tell(finding: Finding | None) -> None:
    if finding is not None:
        log.error(
            "the scrub found blob {name} {trouble}: {detail}",
            name=finding.name,
            trouble=finding.trouble.value,
            detail=finding.detail,
        )
